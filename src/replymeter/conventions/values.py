"""The values of labels and attributes that are closed sets."""

from __future__ import annotations

from typing import Final

MODALITIES: Final = ("text", "image", "audio")
COST_PARTS: Final = ("input", "output")
OUTCOMES: Final = ("ok", "error", "cancelled", "abandoned")
REASONS: Final = (
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "refusal",
    "error",
    "cancelled",
    "abandoned",
    "other",
    "missing",
)
MIXED: Final = "mixed"
"""The finish reason of output tokens that choices with different reasons share."""

STAGES: Final = ("prompt", "response")
CATEGORIES: Final = (
    "hate",
    "harassment",
    "sexual",
    "violence",
    "self_harm",
    "dangerous",
    "jailbreak",
    "recitation",
    "pii",
    "blocklist",
    "guardrail",
    "refusal",
    "other",
)
ERROR_TYPES: Final = (
    "rate_limit",
    "overloaded",
    "authentication",
    "permission_denied",
    "not_found",
    "invalid_request",
    "context_overflow",
    "content_filter",
    "timeout",
    "connection",
    "stream_broken",
    "server_error",
    "_OTHER",
)
COST_REASONS: Final = ("unknown_model", "usage_missing")
INTERNAL_STEPS: Final = (
    "begin",
    "request",
    "chunk",
    "read",
    "value",
    "cost",
    "content",
    "emit",
    "end",
)
"""Replymeter's own steps, the values of `replymeter.error.kind`; `value` is a refused number."""

UNKNOWN_MODALITY: Final = "unknown"
OTHER: Final = "other"
"""The label of models and addresses over the cap, and of words that no row knows."""

LABEL_CAP: Final = 50
"""How many request models, response models and server addresses get a label of their own."""
