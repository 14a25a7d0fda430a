"""What the oldest supported packages hand on differently: `make test-oldest`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import Any

import pytest

OLDEST = version("langchain-core").startswith("1.0.")

# Pattern of `flavour-case-mode`, the facts that differ (None: not handed on), and why.
DIFFERENT: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("open*-*stream", {"cache_write": None}, "langchain-openai 1.0 drops it"),
    ("openai_responses-*", {"cache_write": None}, "langchain-openai 1.0 drops it"),
    ("anthropic-reasoning-*", {"reasoning": None}, "langchain-anthropic 1.0 drops it"),
    ("bedrock_converse-reasoning_counted-*", {"reasoning": None}, "langchain-aws 1.0 drops it"),
    ("fireworks-*", {"reasoning": None, "cache_read": None}, "langchain-fireworks 1.0 drops them"),
    ("fireworks-logprobs-*", {"mean_logprob": None}, "fireworks-ai 0.19 drops them"),
    ("ollama-logprobs-*", {"mean_logprob": None}, "ollama 0.6.1 drops them"),
    ("moonshot-cache_write-*stream", {"cache_write": None}, "langchain-openai 1.0 drops it"),
    ("fireworks-error_404-*", {"error_type": "invalid_request"}, "its SDK has one class for both"),
    ("groq-*stream", {"reasoning": None, "cache_read": None}, "langchain-groq 1.0 drops them"),
    ("deepseek-old_shape-*stream", {"cache_read": None}, "langchain-openai 1.0 drops it"),
    ("vertexai-cache_read-*stream", {"cache_read": None}, "its streams dropped the details"),
    # The total has them: they are in `replymeter.usage.unattributed_tokens`.
    (
        "vertexai-reasoning-*stream",
        {"output_tokens": 269, "reasoning": None},
        "its streams dropped the details",
    ),
    # Its total is its own sum, so nothing tells that the cached tokens are not in the input.
    ("bedrock-cache_read-*stream", {"input_tokens": 1171}, "cached tokens are left out"),
    ("bedrock-cache_write-*stream", {"input_tokens": 1181}, "cached tokens are left out"),
    ("bedrock-cache_write_ttl-*stream", {"input_tokens": 1187}, "cached tokens are left out"),
    (
        "anthropic-refusal-*stream",
        {"blocks": [["response", "refusal"]]},
        "stop_details dropped",
    ),
    (
        "anthropic-refusal_bio-*stream",
        {"blocks": [["response", "refusal"]]},
        "stop_details dropped",
    ),
)

# Pattern of `flavour-case-mode`, and why there is nothing to compare.
SKIPPED = (
    ("anthropic_bedrock-*", "langchain-aws 1.0 has no ChatAnthropicBedrock"),
    ("bedrock_openai-*stream", "langchain-aws 1.0 hands on nothing of OpenAI's streams"),
    ("bedrock_converse*-stream_no_finish-*", "langchain-aws 1.0 takes it for a broken stream"),
    ("fireworks-content_filter-*stream", "fireworks-ai 0.19 fails over an unknown finish reason"),
    ("fireworks-finish_error-*stream", "the same"),
    ("fireworks-empty_choices-*stream", "fireworks-ai 0.19 fails over its chunks"),
    ("fireworks-stream_running_totals-*", "fireworks-ai 0.19 drops the usage of the last chunk"),
    ("fireworks-stream_error_event-*", "fireworks-ai 0.19 fails over what its successor swallows"),
    ("*-responses_*-*stream", "langchain-openai 1.0 fails over these events"),
    *(
        (f"openai_responses-{case}-*stream", "langchain-openai 1.0 does not read its last event")
        for case in ("content_filter", "length", "failed*", "stream_error_event")
    ),
)


def as_handed_on(want: dict[str, Any], name: str) -> dict[str, Any]:
    """*want*, as the installed packages hand it on; skips what they cannot do."""
    if not OLDEST:
        return want
    for pattern, reason in SKIPPED:
        if fnmatchcase(name, pattern):
            pytest.skip(reason)
    for pattern, facts, _ in DIFFERENT:
        if fnmatchcase(name, pattern):
            want = {**want, **{key: facts[key] for key in facts.keys() & want.keys()}}
    return {key: value for key, value in want.items() if value is not None}
