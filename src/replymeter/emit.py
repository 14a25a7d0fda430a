"""From an `Ending` to span attributes and measurements: pure, and the same numbers for both."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from replymeter.conventions import Metric
    from replymeter.providers import Target
    from replymeter.reading import Cost, Ending, Failure, Reading, Request, Usage

    Labels = tuple[tuple[str, str], ...]
    Measurement = tuple[Metric, float, Labels]

_NO_LABELS: Labels = ()
_UNSPLIT: Labels = ((names.TOKEN_MODALITY, names.UNKNOWN_MODALITY),)
_COUNTS = (
    names.USAGE_INPUT_TOKENS,
    names.USAGE_OUTPUT_TOKENS,
    names.USAGE_CACHE_READ,
    names.USAGE_CACHE_WRITE,
    names.USAGE_REASONING,
    names.UNATTRIBUTED_TOKENS,
)
_counts = attrgetter(
    "input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning", "unattributed"
)
_SHORTEST_WRITING = 0.1  # seconds; below it a speed is noise


def sampled_attributes(target: Target, request: Request, labels: Labels) -> dict[str, Any]:
    """The attributes that the span starts with, which samplers may look at."""
    sampled: dict[str, Any] = {
        names.OPERATION_NAME: names.OPERATION,
        names.PROVIDER_NAME: target.provider.name,
    }
    if request.model is not None:
        sampled[names.REQUEST_MODEL] = request.model
    if target.address is not None:
        sampled[names.SERVER_ADDRESS] = target.address
        sampled[names.SERVER_PORT] = target.port
    if request.streamed:
        sampled[names.REQUEST_STREAM] = True
    if labels:
        sampled.update(labels)
    return sampled


def finish_reasons(outcome: str, reading: Reading, failure: Failure | None) -> tuple[str, ...]:
    """The normalised finish reason of each choice; of a call without a choice, one."""
    if outcome == "error":
        blocked = failure is not None and failure.type == "content_filter"
        return ("content_filter",) if blocked else ("error",)
    choices = reading.choices
    if outcome != "ok":  # what never said how it ended, ended so
        return tuple([one.reason for one in choices if one.raw is not None]) or (outcome,)
    if not choices:
        return ("content_filter" if reading.blocks else "missing",)
    return tuple([one.reason for one in choices])


def attributes(ending: Ending) -> dict[str, Any]:
    """The span's attributes, beside those that it started with."""
    reading, timing = ending.reading, ending.timing
    said: dict[str, Any] = {
        **ending.request.parameters,
        **reading.attributes,
        names.OUTCOME: ending.outcome,
        names.FINISH_REASONS: ending.reasons,
    }
    raw = [choice.raw or "" for choice in reading.choices]
    if any(raw):
        said[names.RESPONSE_FINISH_REASONS] = tuple(raw)
    if reading.model is not None:
        said[names.RESPONSE_MODEL] = reading.model
    if timing.first_chunk is not None:  # also where a model streams inside `_generate`
        said[names.REQUEST_STREAM] = True
        said[names.RESPONSE_TIME_TO_FIRST_CHUNK] = timing.first_chunk
    if reading.usage is not None:
        _add_usage(said, reading.usage)
    if reading.blocks or ending.failure:
        said |= _present(_trouble(ending))
    if ending.cost:
        said |= _present(_cost(ending.cost))
    return said


def _present(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}


def _add_usage(said: dict[str, Any], usage: Usage) -> None:
    said |= _present(zip(_COUNTS, _counts(usage), strict=True))
    for modality, tokens in usage.input_modalities.items():
        said[names.INPUT_TOKENS_OF[modality]] = tokens
    for modality, tokens in usage.output_modalities.items():
        said[names.OUTPUT_TOKENS_OF[modality]] = tokens
    if usage.suspect:
        said[names.USAGE_SUSPECT] = True


def _trouble(ending: Ending) -> Iterator[tuple[str, Any]]:
    blocks = _blocks(ending)
    if blocks:
        yield names.BLOCK_STAGES, tuple(block.stage for block in blocks)
        yield names.BLOCK_CATEGORIES, tuple(block.category for block in blocks)
        yield names.BLOCK_WORDS, tuple(block.word or "" for block in blocks)
    if ending.failure:
        yield names.ERROR_TYPE, ending.failure.type
        yield names.EXCEPTION_TYPE, ending.failure.exception
        yield names.ERROR_CODE, ending.failure.code


def _cost(cost: Cost) -> Iterator[tuple[str, Any]]:
    yield names.COST, None if cost.total is None else float(cost.total)
    for part, amount in _parts(cost):
        yield names.COST_OF[part], amount


def _parts(cost: Cost) -> Iterator[tuple[str, float]]:
    for part, amount in zip(names.COST_PARTS, (cost.input, cost.output), strict=True):
        if amount is not None:
            yield part, float(amount)


def _blocks(ending: Ending) -> tuple[Any, ...]:
    failed = ending.failure.blocks if ending.failure else ()
    return ending.reading.blocks or failed


def measurements(ending: Ending) -> list[Measurement]:
    """Every number that the call adds to the metrics, with the labels that are its own."""
    failure, timing, usage = ending.failure, ending.timing, ending.reading.usage
    own = ((names.ERROR_TYPE, failure.type),) if failure else _NO_LABELS
    numbers: list[Measurement] = [(names.DURATION, timing.duration, own)]
    if timing.first_chunk is not None:
        numbers.append((names.TIME_TO_FIRST_CHUNK, timing.first_chunk, _NO_LABELS))
    numbers += [
        (names.FINISH_REASON_COUNT, 1, ((names.FINISH_REASON, reason),))
        for reason in ending.reasons
    ]
    for block in _blocks(ending):
        pair = (names.BLOCK_STAGE, block.stage), (names.BLOCK_CATEGORY, block.category)
        numbers.append((names.SAFETY_BLOCKS, 1, pair))
    if usage is not None:
        numbers += _tokens(usage)
        numbers += _output(ending, usage)
    elif ending.outcome != "error":
        numbers.append((names.USAGE_MISSING, 1, ((names.OUTCOME, ending.outcome),)))
    if ending.cost is not None:
        numbers += _priced(ending.cost, ending.reasons)
    return numbers


def _priced(cost: Cost, reasons: tuple[str, ...]) -> Iterator[Measurement]:
    for part, amount in _parts(cost):
        own = ((names.COST_PART, part), (names.FINISH_REASON, _one(reasons)))
        yield names.COST_OF_CALLS, amount, own
    if cost.missing is not None:
        yield names.COST_MISSING, 1, ((names.COST_REASON, cost.missing),)


def _one(reasons: tuple[str, ...]) -> str:
    return reasons[0] if len(reasons) == 1 or len(set(reasons)) == 1 else names.MIXED


def _tokens(usage: Usage) -> Iterator[Measurement]:
    read, written = usage.input_tokens, usage.output_tokens
    for metric, tokens, split in (
        (names.INPUT_TOKENS, read, usage.input_modalities),
        (names.OUTPUT_TOKENS, written, usage.output_modalities),
        (names.CACHE_READ_TOKENS, usage.cache_read, {}),
        (names.CACHE_WRITE_TOKENS, usage.cache_write, {}),
        (names.REASONING_TOKENS, usage.reasoning, {}),
    ):
        if tokens is None:
            continue
        if split:
            yield from _by_modality(metric, tokens, split)
        else:
            yield metric, tokens, _UNSPLIT
    if read is not None:
        yield names.INPUT_TOKENS_PER_CALL, read, _NO_LABELS
    if written is not None:
        yield names.OUTPUT_TOKENS_PER_CALL, written, _NO_LABELS


def _by_modality(metric: Metric, whole: int, split: Mapping[str, int]) -> Iterator[Measurement]:
    """The whole, split as the provider split it; the rest, and a split too large, is unknown."""
    known = sum(split.values())
    parts = split if known <= whole else {}
    for modality, tokens in parts.items():
        yield metric, tokens, ((names.TOKEN_MODALITY, modality),)
    rest = whole - (known if parts else 0)
    if rest or not parts:
        yield metric, rest, _UNSPLIT


def _output(ending: Ending, usage: Usage) -> Iterator[Measurement]:
    output = usage.output_tokens
    if output is None:
        return
    own = ((names.FINISH_REASON, _one(ending.reasons)),)
    yield names.OUTPUT_TOKENS_BY_REASON, output, own
    if ending.outcome != "ok":
        return
    limit = ending.request.max_tokens
    if limit and ending.request.choices == 1:
        yield names.OUTPUT_LIMIT_UTILIZATION, output / limit, _NO_LABELS
    writing = ending.timing.writing
    if writing is None or writing < _SHORTEST_WRITING:
        return
    written = output - (usage.reasoning or 0)
    if written > 0:
        yield names.OUTPUT_SPEED, written / writing, _NO_LABELS
