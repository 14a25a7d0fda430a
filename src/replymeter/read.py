"""From a reply, by a provider's rows, to a `Reading`.

A choice is a mapping with what LangChain says of it: `usage_metadata`, `response_metadata`
(`llm_output`, `generation_info` and the message's own, merged as LangChain merges them, which
it does only when there is a single choice), `additional_kwargs`, `message_id`, `content`,
`tool_calls` (are there any?), `empty` (is there no content?), `broken` (what raised when it was
looked at).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from replymeter.conventions import OTHER, RESPONSE_ID, RESPONSE_MODEL
from replymeter.paths import Tree, name, number, text, values_at, word
from replymeter.reading import Block, Choice, Reading
from replymeter.usage import counts_at, read_usage, usage_paths
from replymeter.words import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from langchain_core.outputs import ChatResult

    from replymeter.providers.spec import Blocks, Field, Provider
    from replymeter.reading import Usage
    from replymeter.usage import Counts

RawChoice = Mapping[str, Any]

_READERS: Mapping[str, Callable[[Any], object]] = {"word": word, "name": name}


class Rows(NamedTuple):
    """Those of a provider's rows for which a reply has something, found once for each shape."""

    counts: tuple[Counts, ...]
    fields: tuple[tuple[str, Callable[[Any], object], str], ...]
    others: tuple[Field, ...]
    reasons: tuple[str, ...]


def choices_of(result: ChatResult) -> list[RawChoice]:
    """The choices of a `_generate` result; values that are not what LangChain says are left out."""
    shared = result.llm_output
    choices = [
        choice_of(generation.message, shared, generation.generation_info)
        for generation in result.generations
    ]
    return choices or [choice_of(None, shared, None)]  # usage was spent all the same


def choice_of(message: Any, shared: Any, info: Any) -> RawChoice:
    """One choice: *message*, and what came with it outside of the message."""
    content = getattr(message, "content", None)
    broken: list[str] = []
    metadata = {
        **_plain(shared, "llm_output", broken),
        **_plain(info, "generation_info", broken),
        **_plain(getattr(message, "response_metadata", None), "response_metadata", broken),
    }
    kwargs = getattr(message, "additional_kwargs", None)
    return {
        "usage_metadata": getattr(message, "usage_metadata", None),
        "response_metadata": metadata,
        "additional_kwargs": _plain(kwargs, "additional_kwargs", broken),
        "message_id": getattr(message, "id", None),
        "content": content if isinstance(content, list) else (),
        "empty": not content,
        "tool_calls": bool(getattr(message, "tool_calls", None)),
        "broken": broken,
    }


def _plain(value: Any, path: str, broken: list[str]) -> dict[str, Any]:
    """*value* as a dict, whose reading runs no code of an SDK's; empty when it is none."""
    if type(value) is dict:
        return value
    try:
        return dict(value.items()) if isinstance(value, Mapping) else {}
    except Exception:  # noqa: BLE001
        broken.append(path)
        return {}


def read(
    choices: Sequence[RawChoice], provider: Provider, mode: str, *, suspect: bool = False
) -> Reading:
    """What *choices* of one call say, read by *provider*'s rows in *mode* `invoke` or `stream`.

    *suspect* marks the usage: the stream repeated running totals.
    """
    if not choices:
        return Reading()
    first = choices[0]
    rejected: list[str] = list(first.get("broken", ()))
    tree = _tree(provider)
    usage: Usage | None = None
    attributes: dict[str, Any] = {}
    blocks: list[Block] = []
    endings: list[Choice] = []
    for choice in choices:
        found = tree.find(choice, rejected)
        rows = _rows(provider, mode, tuple(found))
        if choice is first:
            usage = read_usage(found, rows.counts, provider, rejected, suspect=suspect)
            attributes = _attributes(first, found, rows, provider, rejected)
        blocked = _blocked(choice, provider, rejected)
        ended = _endings(choice, found, rows.reasons, provider, blocked)
        endings += ended
        blocks += blocked or _blocks_by_word(ended, provider)
    model = attributes.pop(RESPONSE_MODEL, None)
    reading = Reading(
        usage=usage,
        choices=tuple(endings),
        blocks=distinct(blocks) if blocks else (),
        model=model if isinstance(model, str) and model.isprintable() else None,
        attributes=attributes,
    )
    if provider.repair:
        reading = _guarded(reading, rejected, provider.repair, reading, first)
    return reading._replace(rejected=tuple(rejected)) if rejected else reading


def _guarded(otherwise: Any, broken: list[str], function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except Exception:  # noqa: BLE001  # of a value that the provider never sent so far
        broken.append(function.__name__)
        return otherwise


@lru_cache(maxsize=256)
def _tree(provider: Provider) -> Tree:
    rows = (row.path for row in provider.fields)
    return Tree((*usage_paths(provider), *rows, *provider.finish_reason))


@lru_cache(maxsize=1024)  # models repeat few shapes; what is new each time is only slower
def _rows(provider: Provider, mode: str, paths: tuple[str, ...]) -> Rows:
    there = frozenset(paths)
    fields = [row for row in provider.fields if row.mode in (None, mode) and row.path in there]
    own = provider.own_attributes
    return Rows(
        counts_at(provider, there),
        tuple(
            (own.get(row.attribute, row.attribute), _READERS[row.kind], row.path)
            for row in fields
            if _simple(row)
        ),
        tuple(row for row in fields if not _simple(row)),
        tuple(path for path in provider.finish_reason if path in there),
    )


def _simple(row: Field) -> bool:
    return row.kind in _READERS and "*" not in row.path


def completed(chunks: Reading, result: Reading) -> Reading:
    """What the *chunks* said, and where they said nothing, the *result* that was made of them."""
    said = any(choice.raw for choice in chunks.choices)
    return chunks._replace(
        usage=chunks.usage or result.usage,
        choices=chunks.choices if said else result.choices,
        blocks=chunks.blocks or result.blocks,
        model=chunks.model or result.model,
    )


def _attributes(
    choice: RawChoice,
    found: Mapping[str, Any],
    rows: Rows,
    provider: Provider,
    rejected: list[str],
) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for attribute, reader, path in rows.fields:
        if (value := reader(found[path])) is not None:
            attributes[attribute] = value
    own = provider.own_attributes
    for row in rows.others:
        if (value := _guarded(None, rejected, _field, choice, found, row)) is not None:
            attributes[own.get(row.attribute, row.attribute)] = value
    if provider.describe:
        more = _guarded({}, rejected, provider.describe, choice)
        attributes |= {own.get(name, name): value for name, value in more.items()}
    identity = word(choice["message_id"])
    if identity and not identity.startswith(("lc_", "run-")):
        attributes[RESPONSE_ID] = identity
    return attributes


def _field(choice: RawChoice, found: Mapping[str, Any], row: Field) -> object:
    values = values_at(choice, row.path) if "*" in row.path else iter((found[row.path],))
    if row.kind == "count":
        return sum(1 for _ in values) or None
    if row.kind == "mean":
        numbers = [n for value in values if (n := number(value)) is not None]
        return sum(numbers) / len(numbers) if numbers else None
    value = next(values, None)
    if row.kind in _READERS:
        return _READERS[row.kind](value)
    seconds = number(value)
    return None if seconds is None or seconds < 0 else seconds * row.scale


def _endings(
    choice: RawChoice,
    found: Mapping[str, Any],
    paths: Iterable[str],
    provider: Provider,
    blocks: Sequence[Block],
) -> list[Choice]:
    """How *choice* ended: one `Choice`, or several where LangChain glued the words of several."""
    said = None
    for path in paths:
        if said := text(found[path]):
            break
    return [
        Choice(single, _reason(reason, choice, blocks))
        for single, reason in normalise(said, provider)
    ]


def _reason(reason: str, choice: RawChoice, blocks: Sequence[Block]) -> str:
    if reason not in ("stop", "missing"):
        return reason
    if _refused(choice):
        return "refusal"
    if reason == "stop":
        return "tool_calls" if choice["tool_calls"] else "stop"
    return "content_filter" if blocks else "missing"


def _refused(choice: RawChoice) -> bool:
    if text(choice["additional_kwargs"].get("refusal")):
        return True
    return any(
        isinstance(block, dict) and text(dict.get(block, "type")) == "refusal"
        for block in choice["content"]
    )


def blocks_at(root: Mapping[str, Any], rows: Iterable[Blocks]) -> list[Block]:
    """What *rows* find in *root* to have been blocked."""
    found = (_block(item, row) for row in rows for item in values_at(root, row.path))
    return [block for block in found if block]


def _blocked(choice: RawChoice, provider: Provider, broken: list[str]) -> list[Block]:
    if not provider.blocks:
        return []
    blocks: list[Block] = _guarded([], broken, blocks_at, choice, provider.blocks)
    return blocks


def distinct(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """One block of each stage and category."""
    return tuple({(block.stage, block.category): block for block in blocks}.values())


def _block(item: Any, row: Blocks) -> Block | None:
    fields = item if isinstance(item, Mapping) else {}
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
