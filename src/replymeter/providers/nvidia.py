"""NVIDIA NIM. `ChatNVIDIA` hands back the request's model as the response's, and no id.

Only the first choice is kept. A failed request is a bare `Exception` whose text begins with the
status; a stream that reports an error ends in order, without a finish reason.
"""

from __future__ import annotations

from replymeter.providers import openai
from replymeter.providers.spec import ErrorText, Provider

_STATUSES = {
    400: "invalid_request",
    401: "authentication",
    402: "rate_limit",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    422: "invalid_request",
    429: "rate_limit",
    500: "server_error",
    502: "server_error",
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
    ),
)
