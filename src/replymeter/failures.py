"""From an exception to a `Failure`: one vocabulary for every provider, never the exception's text.

What is believed, in this order: the provider's texts where nothing else tells, its codes,
LangChain's classes for what has no status, an HTTP status of 400 or more (statuses lie:
Anthropic's mid-stream errors carry 200, Ollama's -1), the class.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from replymeter.paths import value_at, word
from replymeter.read import blocks_at, distinct
from replymeter.reading import Block, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.providers.spec import ErrorText, Provider

# Codes that more than one provider uses (OpenAI's, spoken by every compatible server).
# https://platform.openai.com/docs/guides/error-codes, read 2026-11-24.
COMMON_CODES: Mapping[str, str] = {
    "rate_limit_exceeded": "rate_limit",
    "insufficient_quota": "rate_limit",
    "invalid_api_key": "authentication",
    "context_length_exceeded": "context_overflow",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "invalid_prompt": "content_filter",
    "model_not_found": "not_found",
    "server_error": "server_error",
}

# Names, as a class or one of its bases, of LangChain's neutral errors
# (langchain_core.exceptions, 1.7), the SDKs' and the transports'. Checked in this order.
CLASS_NAMES: Mapping[str, str] = {
    "ContextOverflowError": "context_overflow",
    "ModelRefusalError": "content_filter",
    "ModelTimeoutError": "timeout",
    "APITimeoutError": "timeout",
    "TimeoutException": "timeout",
    "TimeoutError": "timeout",
    "ReadTimeoutError": "timeout",
    "ConnectTimeoutError": "timeout",
    "Timeout": "timeout",
    "DeadlineExceeded": "timeout",
    "ModelRateLimitError": "rate_limit",
    "RateLimitError": "rate_limit",
    "OverloadedError": "overloaded",
    "ModelAuthenticationError": "authentication",
    "AuthenticationError": "authentication",
    "ModelPermissionDeniedError": "permission_denied",
    "PermissionDeniedError": "permission_denied",
    "ModelNotFoundError": "not_found",
    "NotFoundError": "not_found",
    "ModelInvalidRequestError": "invalid_request",
    "InvalidRequestError": "invalid_request",
    "BadRequestError": "invalid_request",
    "ModelConnectionError": "connection",
    "APIConnectionError": "connection",
    "ConnectionError": "connection",
    "TransportError": "connection",
    "EndpointConnectionError": "connection",
    "ProtocolError": "connection",
    "ChunkedEncodingError": "connection",
    "HTTPClientError": "connection",
    "ClientConnectionError": "connection",
    "ClientPayloadError": "connection",
    "InternalServerError": "server_error",
    "BadGatewayError": "server_error",
    "ServiceUnavailableError": "overloaded",
    "gaierror": "connection",
    "SSLError": "connection",
}

STATUSES: Mapping[int, str] = {
    401: "authentication",
    402: "rate_limit",  # out of credit, as OpenAI's `insufficient_quota`
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    424: "server_error",  # of the model behind the server: AWS, Hugging Face
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

_LONGEST_TEXT = 2000
_LONGEST_BODY = 20_000
_CODE_PATHS = tuple(
    place + key for place in ("error.", "Error.", "") for key in ("code", "Code", "type")
)


def read_failure(error: Exception, provider: Provider, mid_stream: bool) -> Failure:  # noqa: FBT001
    """How a call failed; *mid_stream* says that chunks had arrived before."""
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    codes = list(dict.fromkeys(_codes(error)))
    code = next(iter(codes), None)
    told = _told(error, provider)
    kind = told.type if told else _kind(error, codes, provider)
    if mid_stream and kind in ("connection", "_OTHER"):
        kind = "stream_broken"
    blocks = distinct(blocks_at({"body": _body(error)}, provider.error_blocks))
    if blocks:
        kind = "content_filter"
    elif kind == "content_filter":
        blocks = (Block(told.stage if told else "prompt", "other", code),)
    return Failure(type=kind, exception=name, code=code, blocks=blocks)


def _kind(error: Exception, codes: list[str], provider: Provider) -> str:
    names = [base.__name__ for base in type(error).__mro__]
    status = _status(error)
    for code in (*codes, *names):
        kind = provider.error_codes.get(code) or COMMON_CODES.get(code)
        if kind:  # of a server's own errors the status tells more
            return STATUSES.get(status or 0, kind) if kind == "server_error" else kind
    specific = next((kind for name, kind in CLASS_NAMES.items() if name in names), None)
    if specific in ("context_overflow", "content_filter"):
        return specific
    return _by_status(status) or specific or "_OTHER"


def _told(error: Exception, provider: Provider) -> ErrorText | None:
    if not provider.error_texts:
        return None
    said = _said(error)
    return next((text for text in provider.error_texts if text.part in said), None)


def _said(error: Exception) -> str:
    """The exception's text, and the body's, which SDKs do not repeat when it is a bare text."""
    body = getattr(error, "body", None)
    said = str(error)[:_LONGEST_TEXT]
    return said + body[:_LONGEST_TEXT] if isinstance(body, str) else said


def _codes(error: Exception) -> Iterator[str]:
    """The provider's codes, the most telling first; text that is no short word is left out."""
    bodies = (_body(error), getattr(error, "response", None))
    for body in bodies:
        if isinstance(body, Mapping):
            for path in _CODE_PATHS:
                if code := word(value_at(body, path)):
                    yield code
    for name in ("code", "type"):
        if code := word(getattr(error, name, None)):
            yield code


def _body(error: Exception) -> Any:
    """The body of the answer: parsed by most SDKs, as text by some."""
    body = getattr(error, "body", None)
    if not isinstance(body, str) or len(body) > _LONGEST_BODY:
        return body
    try:
        return json.loads(body)
    except ValueError:
        return None


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    candidates: tuple[Any, ...] = (
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        getattr(error, "code", None),
        value_at(response, "ResponseMetadata.HTTPStatusCode"),
        value_at(_body(error), "error.code"),  # of an error that came with HTTP 200
    )
    for status in candidates:
        if isinstance(status, str) and len(status) == 3 and status.isdecimal():
            status = int(status)  # noqa: PLW2901  # the SDK of OpenAI turns codes into text
        if isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600:
            return int(status)
    return None


def _by_status(status: int | None) -> str | None:
    if status is None:
        return None
    return STATUSES.get(status) or ("server_error" if status >= 500 else "invalid_request")
