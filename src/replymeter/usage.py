"""From one choice's metadata to `Usage`: each count read once, sources never added together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter.conventions import MODALITIES
from replymeter.paths import count
from replymeter.providers.spec import UsageSource
from replymeter.reading import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def read_usage(
    found: Mapping[str, Any], provider: Provider, rejected: list[str], *, suspect: bool = False
) -> Usage | None:
    """The usage that a choice reports, or None when it reports neither input nor output.

    *found* has the values by path. LangChain's `usage_metadata` is the first source,
    *provider*'s the next. Input and output come from the first source that has one of them; a
    part (cache, reasoning) from the first that has it. Paths of values that are no counts are
    appended to *rejected*.
    """
    counts: dict[str, Any] = {}
    whole = False
    for source in (USAGE_METADATA, *provider.usage):
        wanted = tuple(part for part in _PARTS if part not in counts) if whole else _ALL
        read = _counts(found, source, wanted, rejected)
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
    if not invented:
        return
    nothing = not counts.get("input_tokens") and not counts.get("output_tokens")
    for name in invented:
        if counts.get(name) == 0:
            del counts[name]
    if nothing and "input_tokens" in invented:  # then the output's 0 is filled in, too
        counts.pop("output_tokens", None)


def _counts(
    found: Mapping[str, Any], source: UsageSource, wanted: tuple[str, ...], rejected: list[str]
) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for name in wanted:
        value = _first_non_zero(found, getattr(source, name), rejected)
        if value is not None:
            counts[name] = value
    for side in _SIDES if wanted is _ALL else ():
        split = {
            modality: value
            for modality, path in getattr(source, side).items()
            if path in found and (value := _count(found, path, rejected))
        }
        if split:
            counts[side] = split
    return counts


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
            if path not in found:  # most are not
                continue
            counted = _count(found, path, rejected)
        else:
            counts = [c for part in path if (c := _count(found, part, rejected)) is not None]
            counted = sum(counts) if counts else None
        if counted:
            return counted
        result = result if counted is None else counted
    return result


def _count(found: Mapping[str, Any], path: str, rejected: list[str]) -> int | None:
    value = found.get(path)
    if value is None:
        return None
    counted = count(value)
    if counted is None:
        rejected.append(path)
    return counted
