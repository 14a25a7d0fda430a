"""What `replymeter check module:name` finds of the application's models."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

from replymeter.check import verdicts
from replymeter.check.diagnosis import Finding
from replymeter.find import models_in
from replymeter.providers import find
from replymeter.telemetry import SILENT
from replymeter.wrap import instrumented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.language_models import BaseChatModel


def findings(given: str) -> Iterator[Finding]:
    """What is found of *given*, `module:name`, as Python imports it from here."""
    module, _, path = given.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        if not path:
            raise ValueError("there is no `:name` in it")  # noqa: TRY301
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as error:  # noqa: BLE001  # whatever an application's module raises
        text = f"{type(error).__name__}: {error}"
        yield Finding(verdicts.NO_MODULE, {"given": given, "text": text})
        return
    models = models_in(found)
    if not models:
        yield Finding(verdicts.NO_MODEL, {"given": given, "type": type(found).__qualname__})
    for model in models:
        yield from _of_model(model)
    yield _sdk(module)


def _of_model(model: BaseChatModel) -> Iterator[Finding]:
    mark = instrumented(model)
    target = find(model, mark.instrumentation.settings.provider if mark else None)
    host = f"{target.address}:{target.port}" if target.address else "not told by the class"
    values = {"model": type(model).__name__, "provider": target.provider.name, "host": host}
    yield Finding(verdicts.INSTRUMENTED if mark else verdicts.NOT_INSTRUMENTED, values)
    advice = target.provider.advice(model) if target.provider.advice else None
    if advice:
        yield Finding(verdicts.STREAMS_WITHOUT_USAGE, {"text": advice.rstrip(".")})


def _sdk(module: str) -> Finding:
    providers = (trace.get_tracer_provider(), metrics.get_meter_provider())
    there = [type(one).__name__ for one in providers if not isinstance(one, SILENT)]
    values = {"module": module, "provider": " and ".join(there)}
    return Finding(verdicts.SDK_THERE if there else verdicts.NO_SDK, values)
