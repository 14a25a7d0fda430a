"""Zero-code instrumentation: what `opentelemetry-instrument` loads. Needs the extra `auto`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)

from replymeter.instrument import instrument, uninstrument
from replymeter.log import LOG
from replymeter.telemetry import nobody_listens

if TYPE_CHECKING:
    from collections.abc import Collection


class ReplymeterInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments every chat model class, present and future: `instrument(BaseChatModel)`.

    `instrument()` takes the same arguments. A setting that is not allowed is a log line, and
    nothing is instrumented: an exception would stop `opentelemetry-instrument` altogether.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """What must be installed."""
        return ("langchain-core >= 1.0, < 2",)

    def _instrument(self, **kwargs: Any) -> None:
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            nobody_listens()
            return
        try:
            instrument(BaseChatModel, **kwargs)
        except (ImportError, TypeError, ValueError) as error:
            LOG.error("%s; chat models are not instrumented.", error)

    def _uninstrument(self, **_: Any) -> None:
        uninstrument(BaseChatModel)
