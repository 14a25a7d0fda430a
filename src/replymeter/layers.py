"""Other layers that may see the same call, and what is agreed with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.trace import INVALID_SPAN, Span, get_current_span, set_span_in_context

from replymeter.conventions import OPERATION_NAME
from replymeter.switch import current

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

_STREAMS = (BaseChatModel.stream.__code__, BaseChatModel.astream.__code__)
_NEAREST = 8  # frames between LangChain's `stream` and a wrapper of ours
_FINDERS = ("get_span", "_get_span")  # OpenInference's, OpenLLMetry's
_SUPPRESS_OLD = "suppress_instrumentation"
_UTIL_GENAI = "opentelemetry.util.genai._inference_invocation"


def suppressed() -> bool:
    """Whether the application asked that nothing be instrumented here."""
    context = current()
    return bool(context.get(_SUPPRESS_INSTRUMENTATION_KEY) or context.get(_SUPPRESS_OLD))


def util_genai_context() -> dict[str, Any]:
    """What tells official provider instrumentations underneath that this call has its span.

    They fold into it instead of making a second one. Only where one has loaded the package.
    """
    module = sys.modules.get(_UTIL_GENAI)
    if module is None:
        return {}
    try:
        return {module.CLIENT_INFERENCE_CONTEXT_KEY: module.InferenceData()}
    except Exception:  # noqa: BLE001  # a private module: its next release may differ
        return {}


def run_manager(arguments: Mapping[str, Any]) -> Any:
    """LangChain's run manager of the call with these *arguments*; None when there is none.

    LangChain hands it to `_generate` but not to `_stream`: there it is a variable of the caller's.
    """
    manager = arguments.get("run_manager")
    if manager is not None:
        return manager
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # its name in the documentation
    for _ in range(_NEAREST):
        if frame is None:
            return None
        if frame.f_code in _STREAMS:
            return frame.f_locals.get("run_manager")
        frame = frame.f_back
    return None


def around(span: Span, values: Mapping[str, Any]) -> Context:
    """The caller's context with *values*, and with *span* current unless it is no real one."""
    context = Context({**current(), **values})
    return context if span is INVALID_SPAN else set_span_in_context(span, context)


def span_of_another(arguments: Mapping[str, Any]) -> Span | None:
    """The span that another LangChain instrumentation has for this call, None without one.

    Theirs are made in callbacks and are not always current: their handler is asked by the run's id.
    """
    manager = run_manager(arguments)
    for handler in getattr(manager, "handlers", ()):
        for find in _FINDERS:
            try:
                span = getattr(handler, find)(manager.run_id)
            except Exception:  # noqa: BLE001, S112  # another's private matter
                continue
            if isinstance(span, Span) and span.is_recording():
                return span
    span = get_current_span()
    said = getattr(span, "attributes", None) or {}
    return span if span.is_recording() and OPERATION_NAME in said else None
