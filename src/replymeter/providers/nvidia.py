"""NVIDIA NIM. `ChatNVIDIA` hands back the request's model as the response's, and no id.

Only the first choice is kept. A failed request is a bare `Exception` whose text begins with the
status; a stream that reports an error ends in order, without a finish reason.
"""

from __future__ import annotations

from replymeter.providers import openai
from replymeter.providers.spec import ErrorText, Provider

_STATUSES = {
    401: "authentication",
    402: "rate_limit",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
}

NVIDIA = Provider(
    name="nvidia",
    source="https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html",
    date="2026-11-24",
    llm_types=("chat-nvidia-ai-playground",),
    ls_providers=("NVIDIA",),
    hosts=("integrate.api.nvidia.com", "ai.api.nvidia.com"),
    urls=("base_url",),
    usage=(openai.TOKEN_USAGE,),
    finish_reasons=openai.FINISH_REASONS,
    error_texts=(
        openai.TOO_LONG,
        *(ErrorText(f"[{status}] ", kind) for status, kind in _STATUSES.items()),
        ErrorText("[4", "invalid_request"),
        ErrorText("[5", "server_error"),
    ),
)
