"""How many series there are, and when they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.testing import Captured


class Named(BaseChatModel):
    """A model whose requests and responses name a model."""

    model: str = "m"
    base_url: str | None = None
    response_model: str = "m-1"

    @property
    def _llm_type(self) -> str:
        return "named"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        metadata = {"model_name": self.response_model, "finish_reason": "stop"}
        message = AIMessage("hi", response_metadata=metadata)
        return ChatResult(generations=[ChatGeneration(message=message)])


def _values(captured: Captured, metric: str, label: str) -> set[Any]:
    return {labels.get(label) for labels, _ in captured.points(metric)}


def test_sixty_models_are_fifty_labels_and_other(
    instrument: Callable[..., Any], captured: Captured
) -> None:
    """Request models, response models and addresses keep 50 names each; the rest is `other`."""
    for number in range(60):
        llm = Named(
            model=f"model-{number}",
            response_model=f"answers-{number}",
            base_url=f"http://host-{number}.example:80/",
        )
        instrument(llm).invoke("hello")

    duration = names.DURATION.name
    for label in (names.REQUEST_MODEL, names.RESPONSE_MODEL, names.SERVER_ADDRESS):
        values = _values(captured, duration, label)
        assert len(values) == names.LABEL_CAP + 1
        assert names.OTHER in values
    assert captured.count(duration) == 60
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="stop") == 60
    spans = {(span.attributes or {})[names.REQUEST_MODEL] for span in captured.spans}
    assert len(spans) == 60


def test_ten_thousand_models_of_one_instance_stay_capped(
    instrument: Callable[..., Any], captured: Captured
) -> None:
    """Model names given call by call make no more series than the cap, and no overflow point."""
    llm = instrument(Named())
    for number in range(10_000):
        llm._generate([], model=f"model-{number}")

    points = captured.points(names.FINISH_REASON_COUNT.name)
    assert len(points) == (names.LABEL_CAP + 1) * len(names.REASONS)
    assert not any("otel.metric.overflow" in labels for labels, _ in points)
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="stop") == 10_000


def test_instrument_creates_every_reason_at_zero(
    instrument: Callable[..., Any], captured: Captured
) -> None:
    """Before the first call each finish reason, block and ending has a series at 0."""
    instrument(Named())

    reasons = {
        labels[names.FINISH_REASON]: point.value
        for labels, point in captured.points(names.FINISH_REASON_COUNT.name)
    }
    assert reasons == dict.fromkeys(names.REASONS, 0)
    outcomes = _values(captured, names.USAGE_MISSING.name, names.OUTCOME)
    assert outcomes == {"ok", "cancelled", "abandoned"}
    blocks = {
        (labels[names.BLOCK_STAGE], labels[names.BLOCK_CATEGORY])
        for labels, _ in captured.points(names.SAFETY_BLOCKS.name)
    }
    assert {("prompt", "other"), ("response", "other")} <= blocks
    kinds = _values(captured, names.INTERNAL_ERRORS.name, names.ERROR_KIND)
    assert kinds == set(names.INTERNAL_STEPS)
    assert captured.points(names.DURATION.name) == []


def test_a_call_adds_to_the_series_that_was_created_at_zero(
    instrument: Callable[..., Any], captured: Captured
) -> None:
    """The first call makes no new series of finish reasons: one that stood at 0 becomes 1."""
    llm = instrument(Named(base_url="http://localhost:8000/v1"))
    before = [labels for labels, _ in captured.points(names.FINISH_REASON_COUNT.name)]

    llm.invoke("hello")

    after = [labels for labels, _ in captured.points(names.FINISH_REASON_COUNT.name)]
    assert before == after
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="stop") == 1


def test_large_counts_land_in_their_bucket(
    instrument: Callable[..., Any], captured: Captured
) -> None:
    """200,000 tokens and 200 seconds are below the largest bound of their histograms."""
    assert names.TOKEN_BUCKETS[-1] > 200_000
    assert names.SECONDS_BUCKETS[-1] > 200
    instrument(Named()).invoke("hello")

    ((_, point),) = captured.points(names.DURATION.name)
    assert tuple(point.explicit_bounds) == names.SECONDS_BUCKETS
