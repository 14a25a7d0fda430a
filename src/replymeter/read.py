"""From a reply, by a provider's rows, to a `Reading`.

A choice is a mapping with what LangChain says of it: `usage_metadata`, `response_metadata`
(`llm_output`, `generation_info` and the message's own, merged as LangChain merges them, which
it does only when there is a single choice), `additional_kwargs`, `message_id`, `content`,
`tool_calls` (are there any?).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from replymeter.conventions import OTHER, RESPONSE_ID, RESPONSE_MODEL
from replymeter.paths import Tree, name, number, text, values_at, word
from replymeter.reading import Block, Choice, Reading
from replymeter.usage import read_usage, usage_paths
from replymeter.words import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langchain_core.outputs import ChatResult

    from replymeter.providers.spec import Blocks, Field, Provider

RawChoice = Mapping[str, Any]


def choices_of(result: ChatResult) -> list[RawChoice]:
    """The choices of a `_generate` result; values that are not what LangChain says are left out."""
    shared = _mapping(result.llm_output)
    choices = [
        choice_of(generation.message, {**shared, **_mapping(generation.generation_info)})
        for generation in result.generations
    ]
    return choices or [choice_of(None, shared)]  # usage was spent all the same


def choice_of(message: Any, info: Mapping[str, Any]) -> RawChoice:
    """One choice: *message*, and what came with it outside of the message."""
    content = getattr(message, "content", None)
    return {
        "usage_metadata": _mapping(getattr(message, "usage_metadata", None)),
        "response_metadata": {**info, **_mapping(getattr(message, "response_metadata", None))},
        "additional_kwargs": _mapping(getattr(message, "additional_kwargs", None)),
        "message_id": getattr(message, "id", None),
        "content": content if isinstance(content, list) else (),
        "empty": not content,
        "tool_calls": bool(getattr(message, "tool_calls", None)),
    }


def read(
    choices: Sequence[RawChoice], provider: Provider, *, mode: str, suspect: bool = False
) -> Reading:
    """What *choices* of one call say, read by *provider*'s rows in *mode* `invoke` or `stream`.

    *suspect* marks the usage: the stream repeated running totals.
    """
    if not choices:
        return Reading()
    first = choices[0]
    tree = _tree(provider)
    found_first = tree.find(first)
    rejected: list[str] = []
    usage = read_usage(found_first, provider, rejected, suspect=suspect)
    blocks: list[Block] = []
    read_choices: list[Choice] = []
    for choice in choices:
        found = found_first if choice is first else tree.find(choice)
        blocked = list(blocks_at(choice, provider.blocks))
        endings = list(_endings(choice, found, provider, blocked))
        read_choices += endings
        blocks += blocked or _blocks_by_word(endings, provider)
    attributes = dict(_attributes(first, found_first, provider, mode))
    if provider.describe:
        attributes.update(provider.describe(first))
    model = attributes.pop(RESPONSE_MODEL, None)
    own = provider.own_attributes
    if not own.keys().isdisjoint(attributes):
        attributes = {own.get(name, name): value for name, value in attributes.items()}
    reading = Reading(
        usage=usage,
        choices=tuple(read_choices),
        blocks=distinct(blocks),
        model=model if isinstance(model, str) else None,
        attributes=attributes,
        rejected=tuple(rejected),
    )
    return provider.repair(reading, first) if provider.repair else reading


@lru_cache(maxsize=256)
def _tree(provider: Provider) -> Tree:
    rows = (row.path for row in provider.fields)
    return Tree((*usage_paths(provider), *rows, *provider.finish_reason))


def completed(chunks: Reading, result: Reading) -> Reading:
    """What the *chunks* said, and where they said nothing, the *result* that was made of them."""
    said = any(choice.raw for choice in chunks.choices)
    return replace(
        chunks,
        usage=chunks.usage or result.usage,
        choices=chunks.choices if said else result.choices,
        blocks=chunks.blocks or result.blocks,
        model=chunks.model or result.model,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def _attributes(
    choice: RawChoice, found: Mapping[str, Any], provider: Provider, mode: str
) -> Iterator[tuple[str, object]]:
    for row in provider.fields:
        there = found.get(row.path)
        if there is None or row.mode not in (None, mode):
            continue
        values = values_at(choice, row.path) if "*" in row.path else iter((there,))
        if (value := _field(values, row)) is not None:
            yield row.attribute, value
    identity = word(choice["message_id"])
    if identity and not identity.startswith(("lc_", "run-")):
        yield RESPONSE_ID, identity


def _field(values: Iterator[Any], row: Field) -> object:
    if row.kind == "word":
        return word(next(values, None))
    if row.kind == "name":
        return name(next(values, None))
    if row.kind == "count":
        return sum(1 for _ in values) or None
    if row.kind == "mean":
        numbers = [n for value in values if (n := number(value)) is not None]
        return sum(numbers) / len(numbers) if numbers else None
    seconds = number(next(values, None))
    return None if seconds is None or seconds < 0 else seconds * row.scale


def _endings(
    choice: RawChoice, found: Mapping[str, Any], provider: Provider, blocks: list[Block]
) -> Iterator[Choice]:
    """How *choice* ended: one `Choice`, or several where LangChain glued the words of several."""
    said = (text(found.get(path)) for path in provider.finish_reason)
    for glued, reason in normalise(next(filter(None, said), None), provider):
        single = word(glued)  # an unknown word may be content
        if _refused(choice) and reason in ("stop", "missing"):
            yield Choice(single, "refusal")
        elif reason == "stop" and choice["tool_calls"]:
            yield Choice(single, "tool_calls")
        elif reason == "missing" and blocks:
            yield Choice(single, "content_filter")
        else:
            yield Choice(single, reason)


def _refused(choice: RawChoice) -> bool:
    if choice["additional_kwargs"].get("refusal"):
        return True
    return any(
        isinstance(block, Mapping) and block.get("type") == "refusal" for block in choice["content"]
    )


def blocks_at(root: Mapping[str, Any], rows: Iterable[Blocks]) -> Iterator[Block]:
    """What *rows* find in *root* to have been blocked."""
    for row in rows:
        for item in values_at(root, row.path):
            block = _block(item, row)
            if block:
                yield block


def distinct(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """One block of each stage and category."""
    return tuple({(block.stage, block.category): block for block in blocks}.values())


def _block(item: Any, row: Blocks) -> Block | None:
    fields = _mapping(item)
    if row.when is not None and fields.get(row.when) not in row.accepted:
        return None
    said = row.said or word(fields.get(row.word) if row.word is not None else item)
    if said is None and row.word is None:
        return None
    category = row.categories.get(said or "", row.default)
    return Block(row.stage, category, said) if category else None


def _blocks_by_word(endings: list[Choice], provider: Provider) -> Iterator[Block]:
    for ending in endings:
        known = provider.block_words.get(ending.raw or "")
        if known:
            yield Block(*known, ending.raw)
        elif ending.reason == "refusal":
            yield Block("response", "refusal", None)
        elif ending.reason == "content_filter":
            yield Block("response", OTHER, ending.raw)
