"""A large reply costs no more than its size, and where only the start is looked at, no more at all.

By bytecodes, never by a clock: n, 2n and 4n of the same. A part that grows with the square of n
makes the second step four times the first; what grows in a line makes it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.bytecodes import count
from replymeter.paths import MOST_ITEMS
from replymeter.providers import PROVIDERS
from replymeter.read import choices_of, read
from tests.fakes import chunk, reply, result, usage
from tests.garbage import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.providers.spec import Provider

    Instrument = Callable[..., Any]

NOISE = 3000
"""Bytecodes by which two runs may differ; a square of the sizes here is a hundred times that."""


def assert_in_a_line(cost: Callable[[int], int], n: int) -> None:
    """What 2n costs more than n, 4n costs at most twice more than 2n."""
    cost(3)  # what is made once
    first, second, third = (cost(size) for size in (n, 2 * n, 4 * n))
    assert third - second <= 2 * 1.1 * max(second - first, 0) + NOISE


def assert_capped(cost: Callable[[int], int]) -> None:
    """Beyond the cap more costs nothing."""
    cost(3)
    assert abs(cost(8 * MOST_ITEMS) - cost(2 * MOST_ITEMS)) <= NOISE


# What a reply can have many of, as the fields of a message.
MANY: dict[str, Callable[[int], dict[str, Any]]] = {
    "tool calls": lambda n: {
        "tool_calls": [{"name": "look", "args": {}, "id": str(i)} for i in range(n)]
    },
    "content blocks": lambda n: {"content": [{"type": "text", "text": "x"}] * n},
    "refusals": lambda n: {"content": [{"type": "refusal", "refusal": "x"}] * n},
    "metadata": lambda n: {"response_metadata": {f"key {i}": {"a": i} for i in range(n)}},
    "counts": lambda n: {"usage_metadata": {**usage(), **{f"{i}": i for i in range(n)}}},
    "kwargs": lambda n: {"additional_kwargs": {f"key {i}": "x" for i in range(n)}},
    "log probabilities": lambda n: {
        "response_metadata": {"logprobs": {"content": [{"logprob": -1.0}] * n}}
    },
}


@pytest.mark.parametrize("many", MANY)
def test_a_reply_of_many(many: str, instrument: Instrument) -> None:
    """Many of whatever stands in a message: one `_generate`, and one chunk that has it all."""
    llm = instrument(Raw(kind="openai-chat"))

    def invoke(n: int) -> int:
        llm.answer = result(reply().model_copy(update=MANY[many](n)))
        return count(lambda: llm._generate([]))

    def stream(n: int) -> int:
        one = chunk("x", usage())
        one.message = one.message.model_copy(update=MANY[many](n))
        llm.chunks = [one]
        return count(lambda: list(llm._stream([])))

    assert_in_a_line(invoke, 250)
    assert_in_a_line(stream, 250)


# What a stream can have many of, as its n-th chunk.
CHUNKS: dict[str, Callable[[int], Any]] = {
    "words": lambda i: chunk("word "),
    "usage": lambda i: chunk("x", usage(i % 7, 1)),
    "running totals": lambda i: chunk("x", usage(10, i)),
    "finish reasons": lambda i: chunk(finish_reason="stop"),
    "metadata": lambda i: chunk("", None, **{f"key {i}": "x", "model_name": "m"}),
    "log probabilities": lambda i: chunk(logprobs={"content": [{"logprob": -1.0}]}),
    "safety ratings": lambda i: chunk(
        safety_ratings=[{"category": "HARM_CATEGORY_HARASSMENT", "blocked": True}]
    ),
}


@pytest.mark.parametrize("kind", ["openai-chat", "anthropic-chat", "vertexai"])
@pytest.mark.parametrize("many", CHUNKS)
def test_a_stream_of_many(many: str, kind: str, instrument: Instrument) -> None:
    """Many chunks that say something, for one choice and for many."""
    llm = instrument(Raw(kind=kind))

    def stream(n: int, choices: int = 1) -> int:
        llm.chunks = [CHUNKS[many](i) for i in range(n)]
        return count(lambda: list(llm._stream([], n=choices)))

    assert_in_a_line(stream, 100)
    assert_in_a_line(lambda n: stream(n, 8), 100)


@pytest.mark.parametrize("kind", ["openai-chat", "anthropic-chat", "vertexai"])
def test_many_choices(kind: str, instrument: Instrument) -> None:
    """Each choice costs what any other does."""
    llm = instrument(Raw(kind=kind))

    def invoke(n: int) -> int:
        llm.answer = result(*(reply() for _ in range(n)))
        return count(lambda: llm._generate([], n=n))

    def stream(n: int) -> int:
        llm.chunks = [chunk("x", finish_reason="stop") for _ in range(n)]
        return count(lambda: list(llm._stream([], n=n)))

    assert_in_a_line(invoke, 50)
    assert_in_a_line(stream, 50)


WORDS = [
    pytest.param(provider, word, id=f"{provider.name}-{word}")
    for provider in PROVIDERS
    for word in sorted(provider.finish_reasons, key=len)[:1]
]


@pytest.mark.parametrize("tail", ["", "?"], ids=["known", "nearly known"])
@pytest.mark.parametrize(("provider", "word"), WORDS)
def test_glued_finish_reasons(provider: Provider, word: str, tail: str) -> None:
    """A finish reason glued many times, and one that is nearly so: longer than words are, nothing.

    Up to there, in a line with its length.
    """
    path = provider.finish_reason[0]

    def cost(n: int) -> int:
        return cost_of_reading(provider, nested(path, word * n + tail))

    assert_in_a_line(cost, MOST_ITEMS // len(word) // 5)
    assert_capped(cost)


def nested(path: str, value: Any, items: int = 1) -> Any:
    """What has *value* at *path*, each `*` a list of so many *items*, all the same."""
    for step in reversed(path.split(".")):
        value = [value] * items if step == "*" else {step: value}
    return value


def cost_of_reading(provider: Provider, choice: Any) -> int:
    """The bytecodes of reading a reply that has *choice*'s fields."""
    fields = {"content": "hi", "usage_metadata": usage(), **choice}
    answer = result(reply().model_copy(update=fields))
    return count(lambda: read(choices_of(answer), provider, mode="invoke"))


def _looked_at(provider: Provider) -> list[str]:
    return [row.path for row in provider.fields] + [row.path for row in provider.blocks]


STARRED = {
    path.partition(".*")[0]: (provider, path)
    for provider in PROVIDERS
    for path in _looked_at(provider)
    if "*" in path
}
"""A path of each list that rows look through, and a provider whose row it is."""
ITEM = {"blocked": True, "action": "BLOCKED", "type": "x", "logprob": -1.0}


@pytest.mark.parametrize("place", STARRED)
def test_long_lists_where_rows_look(place: str) -> None:
    """Of the items that a row looks through, at most the first thousand."""
    provider, path = STARRED[place]
    below = path.partition(".*")[2]

    def cost(n: int) -> int:
        item = nested(below[1:], ITEM) if below else ITEM
        return cost_of_reading(provider, nested(place, [item] * n))

    assert_in_a_line(cost, MOST_ITEMS // 5)
    assert_capped(cost)


@pytest.mark.parametrize("place", [place for place in STARRED if STARRED[place][1].count("*") > 1])
def test_lists_in_lists_where_rows_look(place: str) -> None:
    """The lists of a list, and theirs, have one cap together."""
    provider, path = STARRED[place]

    def cost(n: int) -> int:
        return cost_of_reading(provider, nested(path, ITEM, items=n))

    cost(3)
    assert cost(80) <= 1.5 * cost(40)
