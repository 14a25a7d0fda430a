"""From one choice's metadata to `Usage`: each count read once, sources never added together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from replymeter.conventions import MODALITIES
from replymeter.paths import count
from replymeter.providers.spec import UsageSource
from replymeter.reading import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from replymeter.providers.spec import Provider

_INPUT = "usage_metadata.input_token_details."
_OUTPUT = "usage_metadata.output_token_details."

# LangChain's own counts: https://reference.langchain.com/python/langchain_core/messages/ai/
# UsageMetadata, read 2026-11-24. OpenAI's tiers rename the details (`priority_cache_read`);
# Anthropic's 5m/1h split sets `cache_creation` to 0 and carries the truth beside it.
USAGE_METADATA = UsageSource(
    input_tokens=("usage_metadata.input_tokens",),
    output_tokens=("usage_metadata.output_tokens",),
    total_tokens=("usage_metadata.total_tokens",),
    cache_read=tuple(_INPUT + tier + "cache_read" for tier in ("", "priority_", "flex_")),
    cache_write=(
        *(_INPUT + tier + "cache_creation" for tier in ("", "priority_", "flex_")),
        (_INPUT + "ephemeral_5m_input_tokens", _INPUT + "ephemeral_1h_input_tokens"),
    ),
    cache_write_1h=(_INPUT + "ephemeral_1h_input_tokens",),
    reasoning=tuple(_OUTPUT + tier + "reasoning" for tier in ("", "priority_", "flex_")),
    input_modalities={modality: _INPUT + modality for modality in MODALITIES},
    output_modalities={modality: _OUTPUT + modality for modality in MODALITIES},
)

_PARTS = ("cache_read", "cache_write", "cache_write_1h", "reasoning")
_ALL = ("input_tokens", "output_tokens", "total_tokens", *_PARTS)
_SIDES = ("input_modalities", "output_modalities")


def usage_paths(provider: Provider) -> Iterator[str]:
    """Every path that `read_usage` looks at for *provider*."""
    for source in (USAGE_METADATA, *provider.usage):
        for name in _ALL:
            for path in getattr(source, name):
                yield from (path,) if isinstance(path, str) else path
        for side in _SIDES:
            yield from getattr(source, side).values()


class Counts(NamedTuple):
    """Those rows of one source for which a reply has something."""

    source: UsageSource
    paths: tuple[tuple[str, tuple[str | tuple[str, ...], ...]], ...]
    sides: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def counts_at(provider: Provider, paths: frozenset[str]) -> tuple[Counts, ...]:
    """The rows of *provider*'s sources for a reply in which something stands at *paths*."""
    return tuple(
        Counts(
            source,
            tuple(
                (name, rows)
                for name in _ALL
                if (rows := tuple(_there(getattr(source, name), paths)))
            ),
            tuple(
                (side, split)
                for side in _SIDES
                if (split := tuple(i for i in getattr(source, side).items() if i[1] in paths))
            ),
        )
        for source in (USAGE_METADATA, *provider.usage)
    )


def _there(
    rows: Iterable[str | tuple[str, ...]], paths: frozenset[str]
) -> Iterator[str | tuple[str, ...]]:
    for row in rows:
        if isinstance(row, str):
            if row in paths:
                yield row
        elif parts := tuple(part for part in row if part in paths):
            yield parts


def read_usage(
    found: Mapping[str, Any],
    sources: tuple[Counts, ...],
    provider: Provider,
    rejected: list[str],
    *,
    suspect: bool = False,
) -> Usage | None:
    """The usage that a choice reports, or None when it reports neither input nor output.

    *found* has the values by path, *sources* are `counts_at` these. LangChain's `usage_metadata`
    is the first source, *provider*'s the next. Input and output come from the first source that
    has one of them; a part (cache, reasoning) from the first that has it. Paths of values that are
    no counts are appended to *rejected*.
    """
    counts: dict[str, Any] = {}
    whole = False
    for source, paths, sides in sources:
        read: dict[str, Any] = {}
        for name, there in paths:
            if whole and (name in counts or name not in _PARTS):
                continue
            if (value := _first_non_zero(found, there, rejected)) is not None:
                read[name] = value
        for side, split in () if whole else sides:
            read[side] = {
                modality: value
                for modality, path in split
                if (value := _first_non_zero(found, (path,), rejected))
            }
        if provider.invented_zeros:
            _drop_invented_zeros(read, provider.invented_zeros)
        if not whole and source.input_excludes_cache and "input_tokens" in read:
            read["input_tokens"] += read.get("cache_read", 0) + read.get("cache_write", 0)
        counts.update(read)
        whole = whole or "input_tokens" in counts or "output_tokens" in counts
    if not whole:
        return None
    _include_reasoning(counts)
    return Usage(**counts, suspect=suspect)


def _drop_invented_zeros(counts: dict[str, Any], invented: tuple[str, ...]) -> None:
    nothing = not counts.get("input_tokens") and not counts.get("output_tokens")
    for name in invented:
        if counts.get(name) == 0:
            del counts[name]
    if nothing and "input_tokens" in invented:  # then the output's 0 is filled in, too
        counts.pop("output_tokens", None)


def _include_reasoning(counts: dict[str, Any]) -> None:
    # ChatVertexAI, and xAI through ChatOpenAI, count reasoning beside the output: then the total
    # is the sum of all three, which it cannot be when reasoning is within.
    reasoning = counts.get("reasoning", 0)
    if reasoning and "input_tokens" in counts and "output_tokens" in counts:
        inclusive = counts["output_tokens"] + reasoning
        if counts.get("total_tokens") == counts["input_tokens"] + inclusive:
            counts["output_tokens"] = inclusive


def _first_non_zero(
    found: Mapping[str, Any], paths: tuple[str | tuple[str, ...], ...], rejected: list[str]
) -> int | None:
    result: int | None = None
    for path in paths:
        if isinstance(path, str):
            counted = count(found[path])
            if counted is None:
                rejected.append(path)
        else:
            parts = (_first_non_zero(found, (part,), rejected) for part in path)
            known = [part for part in parts if part is not None]
            counted = sum(known) if known else None
        if counted:
            return counted
        result = result if counted is None else counted
    return result
