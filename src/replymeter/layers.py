"""Other layers that may see the same call, and what is agreed with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_current

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

_STREAMS = (BaseChatModel.stream.__code__, BaseChatModel.astream.__code__)
_NEAREST = 8  # frames between LangChain's `stream` and a wrapper of ours
_SUPPRESS_OLD = "suppress_instrumentation"
_UTIL_GENAI = "opentelemetry.util.genai._inference_invocation"


def suppressed() -> bool:
    """Whether the application asked that nothing be instrumented here."""
    context = get_current()
    return any(context.get(key) for key in (_SUPPRESS_INSTRUMENTATION_KEY, _SUPPRESS_OLD))


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
