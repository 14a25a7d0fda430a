"""Other layers that may see the same call, and what is agreed with them."""

from __future__ import annotations

import sys
from typing import Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_current

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
