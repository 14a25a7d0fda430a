"""OpenRouter, through `ChatOpenRouter` and through `ChatOpenAI(base_url=...)`.

Its last two chunks repeat the finish reason and the model. A flagged prompt is an HTTP 403 whose
metadata says why; its SDK keeps an error's body as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replymeter import conventions as names
from replymeter.providers import openai
from replymeter.providers.spec import Blocks, ErrorText, Field, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

# The moderation endpoint's words: https://platform.openai.com/docs/guides/moderation,
# read 2026-11-24.
_REASONS = {
    "hate": "hate",
    "hate/threatening": "hate",
    "harassment": "harassment",
    "harassment/threatening": "harassment",
    "sexual": "sexual",
    "sexual/minors": "sexual",
    "violence": "violence",
    "violence/graphic": "violence",
    "self-harm": "self_harm",
    "self-harm/intent": "self_harm",
    "self-harm/instructions": "self_harm",
    "illicit": "dangerous",
    "illicit/violent": "dangerous",
}


_CODES = {
    400: "invalid_request",
    402: "rate_limit",
    408: "timeout",
    429: "rate_limit",
    502: "server_error",
    503: "overloaded",
}


def _moderation(error: str) -> Iterator[Blocks]:
    """What the metadata of an *error* says was flagged."""
    yield Blocks(path=f"{error}.metadata.reasons.*", stage="prompt", categories=_REASONS)


OPENROUTER = Provider(
    name="openrouter",
    source="https://openrouter.ai/docs/api/reference/errors-and-debugging",
    date="2026-11-24",
    llm_types=("openrouter-chat",),
    ls_providers=("openrouter",),
    hosts=("openrouter.ai",),
    urls=("client.sdk_configuration.server_url", "openrouter_api_base"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        openai.FINGERPRINT,
        openai.LOGPROB,
    ),
    finish_reasons={**openai.FINISH_REASONS, "error": "error"},
    error_texts=(
        openai.TOO_LONG,
        # An error with HTTP 200, as `ChatOpenAI` and `ChatOpenRouter` raise it.
        *(
            ErrorText(shape.format(code), kind)
            for code, kind in _CODES.items()
            for shape in ("'code': {}", "(code: {})")
        ),
    ),
    # `ChatOpenAI` unwraps the error, the SDK does not.
    error_blocks=(*_moderation("body"), *_moderation("body.error")),
)
