"""Beside another LangChain instrumentation: its span, our attributes and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import wrapt

from replymeter import conventions as names
from tests.fakes import AsyncStreamModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

MODES = ("invoke", "ainvoke", "stream", "astream")


def instrumentor_of(package: str) -> Any:
    """The instrumentor of the real package."""
    if package == "openinference":
        from openinference.instrumentation.langchain import LangChainInstrumentor as Instrumentor
    elif package == "official":
        from opentelemetry.instrumentation.genai.langchain import (
            LangChainInstrumentor as Instrumentor,
        )
    else:
        from opentelemetry.instrumentation.langchain import LangchainInstrumentor as Instrumentor
    return Instrumentor()


async def ask(llm: Any, mode: str) -> None:
    """One call."""
    if mode == "invoke":
        llm.invoke("hello")
    elif mode == "ainvoke":
        await llm.ainvoke("hello")
    elif mode == "stream":
        list(llm.stream("hello"))
    else:
        _ = [item async for item in llm.astream("hello")]


class Managed(AsyncStreamModel):
    """Takes a run manager, as the providers' classes do."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Any:
        return super()._generate(messages)

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any
    ) -> Any:
        return await super()._agenerate(messages)


@pytest.fixture(autouse=True)
def every_patch_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenLLMetry's patches of methods outlive its `uninstrument`; not here."""

    def patch(module: str, name: str, wrapper: Any) -> None:
        parent, attribute, original = wrapt.resolve_path(module, name)
        monkeypatch.setattr(parent, attribute, wrapt.FunctionWrapper(original, wrapper))

    monkeypatch.setattr("opentelemetry.instrumentation.langchain.wrap_function_wrapper", patch)


@pytest.mark.parametrize("package", ["openinference", "official", "openllmetry"])
async def test_one_span_with_both_attributes_or_each_its_own(
    package: str, instrument: Instrument, captured: Captured
) -> None:
    """Enriched, their one span has the outcome and the reasons; else there are two spans."""
    other = instrumentor_of(package)  # once: OpenLLMetry's cannot be undone and done again
    other.instrument(
        tracer_provider=captured.tracer_provider, meter_provider=captured.meter_provider
    )
    try:
        theirs = instrument(Managed(), own_span=False)
        for mode in MODES:
            await ask(theirs, mode)
        broken = instrument(Managed(errors=[ValueError("no")]), own_span=False)
        with pytest.raises(ValueError, match="no"):
            broken.invoke("hello")
        await ask(instrument(Managed()), "invoke")
    finally:
        other.uninstrument()

    scopes = [span.instrumentation_scope for span in captured.spans]
    by_us = [scope is not None and scope.name == "replymeter" for scope in scopes]
    said: list[Any] = [span.attributes or {} for span in captured.spans]
    assert by_us.count(True) == 1
    assert len(by_us) == len(MODES) + 3
    assert [one.get(names.OUTCOME) for one in said[: len(MODES) + 1]] == ["ok"] * 4 + ["error"]
    assert [one.get(names.FINISH_REASONS) for one in said[: len(MODES)]] == [("stop",)] * 4
    assert [one.get(names.USAGE_INPUT_TOKENS) for one in said[: len(MODES)]] == [10] * 4
    assert captured.total(names.INPUT_TOKENS.name) == 50
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="error") == 1
    assert captured.total(names.INTERNAL_ERRORS.name) == 0


async def test_without_another_there_are_the_metrics(
    instrument: Instrument, captured: Captured
) -> None:
    """The span of the application around stays as it is, and current."""
    llm = instrument(Managed(), own_span=False)
    tracer = captured.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("request"):
        llm.invoke("hello")
        list(llm.stream("hello"))

    (span,) = captured.spans
    assert dict(span.attributes or {}) == {}
    assert captured.total(names.INPUT_TOKENS.name) == 20
