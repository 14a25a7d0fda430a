"""The numbers are those that were reported: each once, none made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain_core.caches import InMemoryCache

from replymeter import conventions as names
from replymeter.conventions import SECONDS_BUCKETS, TOKEN_BUCKETS
from tests.fakes import (
    OK,
    Ended,
    Provider,
    StreamModel,
    SyncModel,
    chunk,
    endings,
    reply,
    result,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

MISSING = Ended("ok", ("stop",), None, None)


def attributes(captured: Captured) -> Mapping[str, Any]:
    """The attributes of the only span."""
    (span,) = captured.spans
    return span.attributes or {}


def test_a_repeated_last_chunk_is_one_ending(instrument: Instrument, captured: Captured) -> None:
    """LangChain's merge says `stopstop` and `gptgpt`; the span and the labels do not."""
    last = chunk(finish_reason="stop", model_name="gpt")
    instrument(StreamModel(chunks=[chunk("hi", usage()), last, last])).invoke("x", stream=True)
    said = attributes(captured)
    assert said[names.RESPONSE_FINISH_REASONS] == ("stop",)
    assert said[names.RESPONSE_MODEL] == "gpt"
    assert endings(captured) == [OK]
    assert {labels[names.RESPONSE_MODEL] for labels, _ in captured.points(names.DURATION.name)} == {
        "gpt"
    }


@pytest.mark.parametrize(
    ("counts", "suspect"),
    [([(10, 1), (10, 2), (10, 3)], True), ([(10, 1), (0, 1), (0, 1)], None)],
    ids=["running totals", "deltas"],
)
def test_running_totals_are_not_added(
    counts: list[tuple[int, int]],
    suspect: Literal[True] | None,
    instrument: Instrument,
    captured: Captured,
) -> None:
    """The last of repeated totals counts, and is marked; deltas are added."""
    chunks = [chunk("word", usage(*count)) for count in counts]
    list(instrument(StreamModel(chunks=[*chunks, chunk(finish_reason="stop")])).stream("x"))
    assert endings(captured) == [Ended(read=10, written=3)]
    assert attributes(captured).get(names.USAGE_SUSPECT) is suspect


def test_a_cached_reply_is_no_call(instrument: Instrument, captured: Captured) -> None:
    """What LangChain's cache answers cost nothing: one span, counted once."""
    llm = instrument(SyncModel(cache=InMemoryCache()))
    llm.invoke("x")
    llm.invoke("x")
    assert endings(captured) == [OK]


def test_choices_share_one_usage(instrument: Instrument, captured: Captured) -> None:
    """Two choices with the same usage on both count it once, and each its own ending."""
    answer = result(reply(), reply(reason="length"))
    instrument(SyncModel(answer=answer)).invoke("x")
    assert endings(captured) == [Ended(reasons=("stop", "length"))]
    assert captured.total(names.OUTPUT_TOKENS_BY_REASON.name, finish_reason="mixed") == 20


TTL = {"cache_read": 800, "cache_creation": 0, "ephemeral_5m_input_tokens": 150}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (usage(1000, 5, input_token_details=TTL), (1000, 5, 800, 150, None)),
        (
            usage(17903, 5, input_token_details={"cache_read": 17817}),
            (17903, 5, 17817, None, None),
        ),
        (usage(41, 5, total_tokens=389), (41, 5, None, None, 343)),
        (usage(0, 0), (0, 0, None, None, None)),
    ],
    ids=["5m cache", "cache", "unattributed", "zeros"],
)
def test_counts_are_what_was_reported(
    counts: Any, told: tuple[int | None, ...], instrument: Instrument, captured: Captured
) -> None:
    """Input includes the cached; a zero that was reported is a zero; no sum is made up."""
    instrument(SyncModel(answer=result(reply(usage_metadata=counts)))).invoke("x")
    said = attributes(captured)
    on_span = (
        names.USAGE_INPUT_TOKENS,
        names.USAGE_OUTPUT_TOKENS,
        names.USAGE_CACHE_READ,
        names.USAGE_CACHE_WRITE,
        names.UNATTRIBUTED_TOKENS,
    )
    assert tuple(said.get(name) for name in on_span) == told
    assert endings(captured) == [Ended(read=told[0], written=told[1])]
    assert captured.total(names.CACHE_READ_TOKENS.name) == (told[2] or 0)
    assert captured.total(names.CACHE_WRITE_TOKENS.name) == (told[3] or 0)
    assert captured.total(names.USAGE_MISSING.name) == 0


def test_usage_that_was_not_reported_is_missing(instrument: Instrument, captured: Captured) -> None:
    """No token attribute, no token series, one `usage_missing`."""
    instrument(SyncModel(answer=result(reply(usage_metadata=None)))).invoke("x")
    assert [name for name in attributes(captured) if "usage" in name] == []
    assert captured.points(names.INPUT_TOKENS.name) == []
    assert captured.total(names.USAGE_MISSING.name, outcome="ok") == 1
    assert endings(captured) == [MISSING]


@pytest.mark.parametrize(
    ("kind", "metadata", "reasons", "blocks"),
    [
        (
            "vertexai",
            {
                "prompt_feedback": {"block_reason": "SAFETY"},
                "safety_ratings": [
                    {"category": "HARM_CATEGORY_HARASSMENT", "probability_label": "NEGLIGIBLE"}
                ],
            },
            ("content_filter",),
            (("prompt", "other"),),
        ),
        (
            "openai-chat",
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            ("length",),
            (),
        ),
    ],
    ids=["blocked prompt", "Responses cut"],
)
def test_a_providers_own_way_to_end(
    kind: str,
    metadata: dict[str, Any],
    reasons: tuple[str, ...],
    blocks: tuple[tuple[str, str], ...],
    instrument: Instrument,
    captured: Captured,
) -> None:
    """A blocked prompt is no error, a rating that passed is no block, `incomplete` has a reason."""
    message = reply("", None, response_metadata=metadata)
    instrument(Provider(kind=kind, answer=result(message))).invoke("x")
    said = attributes(captured)
    told = zip(said.get(names.BLOCK_STAGES, ()), said.get(names.BLOCK_CATEGORIES, ()), strict=True)
    assert tuple(told) == blocks
    assert endings(captured) == [Ended(reasons=reasons)]
    assert captured.total(names.SAFETY_BLOCKS.name) == len(blocks)


def test_model_names_are_capped(instrument: Instrument, captured: Captured) -> None:
    """1,000 response models give the first 50 and `other`, and no overflow series."""
    llm = instrument(SyncModel())
    for number in range(1000):
        llm.answer = result(reply(response_metadata={"model_name": f"m-{number}"}))
        llm.invoke("x")
    models = {
        labels.get(names.RESPONSE_MODEL) for labels, _ in captured.points(names.DURATION.name)
    }
    assert models == {*(f"m-{number}" for number in range(50)), "other"}
    assert captured.total(names.INPUT_TOKENS.name) == 10_000


def test_big_numbers_keep_their_bucket(instrument: Instrument, captured: Captured) -> None:
    """200,000 tokens lie between two boundaries, not beyond the last."""
    instrument(SyncModel(answer=result(reply(usage_metadata=usage(200_000, 1))))).invoke("x")
    ((_, point),) = captured.points(names.INPUT_TOKENS_PER_CALL.name)
    bucket = point.bucket_counts.index(1)
    assert point.explicit_bounds == TOKEN_BUCKETS
    assert TOKEN_BUCKETS[bucket - 1] < 200_000 <= TOKEN_BUCKETS[bucket] < TOKEN_BUCKETS[-1]
    ((_, duration),) = captured.points(names.DURATION.name)
    assert duration.explicit_bounds == SECONDS_BUCKETS


def test_the_first_chunk_counts_even_when_empty(instrument: Instrument, captured: Captured) -> None:
    """Time to first chunk is the time to the first chunk, also to one that says nothing."""
    list(instrument(StreamModel(chunks=[chunk(finish_reason="stop")])).stream("x"))
    assert captured.count(names.TIME_TO_FIRST_CHUNK.name) == 1


def test_chunks_are_timed_when_asked(instrument: Instrument, captured: Captured) -> None:
    """Each chunk after the first is one record, only with `chunk_timing`."""
    list(instrument(StreamModel()).stream("x"))
    assert captured.count(names.TIME_PER_OUTPUT_CHUNK.name) == 0
    list(instrument(StreamModel(), chunk_timing=True).stream("x"))
    assert captured.count(names.TIME_PER_OUTPUT_CHUNK.name) == 2
