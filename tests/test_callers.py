"""What the application's own code does to its models goes on as if nobody instrumented them."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

import replymeter
from replymeter import conventions as names
from replymeter.testing import capture_telemetry
from tests.fakes import OK, StreamModel, SyncModel, endings, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]


@pytest.mark.parametrize("argument", ["function", "call", "streamed", "original", "wrapped"])
def test_an_argument_may_have_any_name(
    argument: str, instrument: Instrument, captured: Captured
) -> None:
    """A keyword of the call never meets one of Replymeter's own."""
    llm = instrument(StreamModel())

    llm.invoke("x", **{argument: 1})
    list(llm.stream("x", **{argument: 1}))

    assert endings(captured) == [OK, OK]


def test_a_decorator_put_on_later_is_not_bypassed(instrument: Instrument) -> None:
    """A subclass that decorates an instrumented method keeps its decorator."""
    instrument(SyncModel)
    entered = []

    def noted(method: Any) -> Any:
        @wraps(method)
        def noting(*args: Any, **kwargs: Any) -> Any:
            entered.append(method.__name__)
            return method(*args, **kwargs)

        return noting

    class Decorated(SyncModel):
        """Decorates what it inherits."""

        _generate = noted(SyncModel._generate)

    instrument(Decorated()).invoke("x")

    assert entered == ["_generate"]


def test_a_siblings_override_is_found(instrument: Instrument, captured: Captured) -> None:
    """Instrumenting one base of a diamond does not hide the other's method."""

    class Left(SyncModel):
        """Overrides nothing."""

    class Right(SyncModel):
        """Overrides the answer."""

        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("right"))])

    class Both(Left, Right):
        """Answers as Right."""

    instrument(Left())

    assert Both().invoke("x").content == "right"
    assert captured.spans == ()


def test_a_patch_of_the_base_still_works(instrument: Instrument, captured: Captured) -> None:
    """What a class inherits is looked up at each call."""

    class Plain(SyncModel):
        """Overrides nothing."""

    llm = instrument(Plain())
    patched = ChatResult(generations=[ChatGeneration(message=AIMessage("patched"))])
    with patch.object(SyncModel, "_generate", lambda *_, **__: patched):
        assert llm.invoke("x").content == "patched"
    assert len(captured.spans) == 1


def test_a_stream_through_super_is_counted_once(instrument: Instrument, captured: Captured) -> None:
    """Both classes are wrapped, and each chunk is looked at once: no running totals are seen."""

    class Sub(StreamModel):
        """Streams what its base streams."""

        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            yield from super()._stream(*args, **kwargs)

    instrument(StreamModel)
    list(Sub().stream("x"))

    assert endings(captured) == [OK]
    assert names.USAGE_SUSPECT not in (captured.spans[0].attributes or {})


def test_instrumenting_a_copy_anew_leaves_its_origin(
    instrument: Instrument, captured: Captured
) -> None:
    """A copy that goes elsewhere takes nothing from the model it was made of."""
    llm = instrument(SyncModel())
    with capture_telemetry() as elsewhere:
        copy = replymeter.instrument(
            llm.model_copy(),
            tracer_provider=elsewhere.tracer_provider,
            meter_provider=elsewhere.meter_provider,
        )
        llm.invoke("x")
        copy.invoke("x")

        assert endings(captured) == [OK]
        assert endings(elsewhere) == [OK]


def test_a_class_that_was_patched_meanwhile_is_wrapped_again(
    instrument: Instrument, captured: Captured
) -> None:
    """Instrumented while a test had patched the method, the class is found bare afterwards."""
    with patch.object(SyncModel, "_generate", SyncModel._generate):
        instrument(SyncModel())

    instrument(SyncModel()).invoke("x")

    assert endings(captured) == [OK]


class Odd:
    """Compares like an array: to nothing that could be true or false."""

    def __eq__(self, other: object) -> Any:
        return self

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


def test_odd_metadata_costs_no_count(instrument: Instrument, captured: Captured) -> None:
    """A chunk whose metadata cannot be compared still gives its usage and its reason."""
    metadata = {"embedding": Odd(), "finish_reason": "stop"}
    message = AIMessageChunk(content="hi", response_metadata=metadata, usage_metadata=usage())
    chunk = ChatGenerationChunk(message=message)

    class Embedding(SyncModel):
        """Streams one odd chunk."""

        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            yield chunk

    for _ in instrument(Embedding())._stream([]):
        pass

    assert endings(captured) == [OK]


def test_an_inner_failure_leaves_the_outer_answer_counted(
    instrument: Instrument, captured: Captured
) -> None:
    """A router whose inner model fails and that answers itself is the provider call."""
    inner = instrument(SyncModel(errors=[ValueError("away")]))

    class Router(SyncModel):
        """Asks another first."""

        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            with pytest.raises(ValueError, match="away"):
                inner.invoke("x")
            return super()._generate(*args, **kwargs)

    instrument(Router()).invoke("x")

    assert captured.total(names.INPUT_TOKENS.name) == 10
    assert names.DELEGATED not in (captured.spans[1].attributes or {})


@pytest.mark.parametrize(
    "wrong", [("replymeter.finish_reason", {}), (names.DURATION.name, {"a": 1})]
)
def test_a_misspelled_name_is_an_error(wrong: tuple[str, Any], captured: Captured) -> None:
    """`total` of what does not exist raises: a test with a typing error must not pass."""
    metric, labels = wrong
    with pytest.raises(ValueError, match=r"no (metric|label)"):
        captured.total(metric, **labels)
