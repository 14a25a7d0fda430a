"""Anthropic's own API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from replymeter import conventions as names
from replymeter.providers.spec import Blocks, ErrorText, Field, Provider, UsageSource

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_USAGE = "response_metadata.usage."
_CLIENTS = ("_client", "_async_client", "client", "async_client")  # the last two: VertexAI's class

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "pause_turn": "other",
    "compaction": "other",
}
"""https://docs.claude.com/en/api/messages, stop_reason; also spoken by Bedrock's InvokeModel."""

ERROR_CODES = {
    "rate_limit_error": "rate_limit",
    "overloaded_error": "overloaded",
    "authentication_error": "authentication",
    "permission_error": "permission_denied",
    "not_found_error": "not_found",
    "request_too_large": "invalid_request",
    "timeout_error": "timeout",
    "api_error": "server_error",
}
"""https://docs.claude.com/en/api/errors."""


class _Deferring(trace.TracerProvider):
    """Gives the Anthropic SDK (2.12 on) tracers that are silent inside a Replymeter call.

    The SDK makes a GenAI span of its own, with the same tokens; summed over spans they would
    double. Outside of an instrumented call its spans go on as before.
    """

    def __init__(self, own: trace.TracerProvider | None) -> None:
        self._own = own

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        own = self._own or trace.get_tracer_provider()
        return _DeferringTracer(own.get_tracer(*args, **kwargs))


class _DeferringTracer(trace.Tracer):
    def __init__(self, own: trace.Tracer) -> None:
        self._own = own

    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
        from replymeter.call import current_call  # noqa: PLC0415  # call imports the providers

        return trace.INVALID_SPAN if current_call() else self._own.start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        return self._own.start_as_current_span(*args, **kwargs)


def _quiet_sdk(model: BaseChatModel) -> None:
    for name in _CLIENTS:
        client = getattr(model, name, None)
        options = getattr(client, "open_telemetry", None)
        if options is not None and not isinstance(options.get("tracer_provider"), _Deferring):
            provider = _Deferring(options.get("tracer_provider"))
            quiet = {**options, "tracer_provider": provider}
            model.__dict__[name] = client.with_options(open_telemetry=quiet)  # type: ignore[union-attr]


ANTHROPIC = Provider(
    name="anthropic",
    source="https://docs.claude.com/en/api/messages",
    date="2026-11-24",
    llm_types=("anthropic-chat",),
    ls_providers=("anthropic",),
    hosts=("api.anthropic.com",),
    urls=("_client.base_url", "anthropic_api_url"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model", kind="name"),
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        Field(attribute=names.STOP_SEQUENCE, path="response_metadata.stop_sequence", kind="name"),
        Field(attribute=names.SERVICE_TIER, path="response_metadata.usage.service_tier"),
    ),
    usage=(
        UsageSource(
            input_tokens=(_USAGE + "input_tokens",),
            output_tokens=(_USAGE + "output_tokens",),
            cache_read=(_USAGE + "cache_read_input_tokens",),
            cache_write=(_USAGE + "cache_creation_input_tokens",),
            input_excludes_cache=True,
        ),
    ),
    # Before 2026 streams said the input only in their first event, which LangChain drops.
    invented_zeros=("input_tokens",),
    # "cumulative": https://docs.claude.com/en/docs/build-with-claude/streaming, read 2026-11-24.
    running_totals=True,
    finish_reason=("response_metadata.stop_reason",),
    finish_reasons=FINISH_REASONS,
    blocks=(
        Blocks(
            path="response_metadata.stop_details.category",
            stage="response",
            categories={
                "cyber": "dangerous",
                "bio": "dangerous",
                "general_harms": "dangerous",
                "frontier_llm": "refusal",
                "reasoning_extraction": "refusal",
            },
            default="refusal",
        ),
    ),
    error_codes=ERROR_CODES,
    error_texts=(
        ErrorText("content filtering policy", "content_filter", stage="response"),
        ErrorText("prompt is too long", "context_overflow"),
    ),
    prepare=_quiet_sdk,
)
