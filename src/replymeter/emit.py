"""From an `Ending` to span attributes and measurements: pure, and the same numbers for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replymeter.conventions import Metric
    from replymeter.providers import Target
    from replymeter.reading import Cost, Ending, Request, Usage

    Labels = tuple[tuple[str, str], ...]
    Measurement = tuple[Metric, float, Labels]

_NO_LABELS: Labels = ()
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


def finish_reasons(ending: Ending) -> tuple[str, ...]:
    """The normalised finish reason of each choice; of a call without a choice, one."""
    if ending.outcome == "error":
        blocked = ending.failure is not None and ending.failure.type == "content_filter"
        return ("content_filter",) if blocked else ("error",)
    choices = ending.reading.choices
    if ending.outcome != "ok":  # what never said how it ended, ended so
        reasons = tuple(choice.reason for choice in choices if choice.raw is not None)
        return reasons or (ending.outcome,)
    if not choices:
        return ("content_filter" if ending.reading.blocks else "missing",)
    return tuple(choice.reason for choice in choices)


def attributes(ending: Ending) -> dict[str, Any]:
    """The span's attributes, beside those that it started with."""
    reading = ending.reading
    return {
        **ending.request.parameters,
        **reading.attributes,
        **_present(_reply(ending)),
        **(_present(_usage(reading.usage)) if reading.usage else {}),
        **_present(_trouble(ending)),
        **(_present(_cost(ending.cost)) if ending.cost else {}),
    }


def _present(pairs: Iterator[tuple[str, Any]]) -> Mapping[str, Any]:
    return {name: value for name, value in pairs if value is not None}


def _reply(ending: Ending) -> Iterator[tuple[str, Any]]:
    yield names.OUTCOME, ending.outcome
    yield names.FINISH_REASONS, finish_reasons(ending)
    choices = ending.reading.choices
    if any(choice.raw for choice in choices):
        yield names.RESPONSE_FINISH_REASONS, tuple(choice.raw or "" for choice in choices)
    yield names.RESPONSE_MODEL, ending.reading.model
    if ending.timing.first_chunk is not None:  # also where a model streams inside `_generate`
        yield names.REQUEST_STREAM, True
        yield names.RESPONSE_TIME_TO_FIRST_CHUNK, ending.timing.first_chunk


def _usage(usage: Usage) -> Iterator[tuple[str, Any]]:
    yield names.USAGE_INPUT_TOKENS, usage.input_tokens
    yield names.USAGE_OUTPUT_TOKENS, usage.output_tokens
    yield names.USAGE_CACHE_READ, usage.cache_read
    yield names.USAGE_CACHE_WRITE, usage.cache_write
    yield names.USAGE_REASONING, usage.reasoning
    for modality, tokens in usage.input_modalities.items():
        yield names.INPUT_TOKENS_OF[modality], tokens
    for modality, tokens in usage.output_modalities.items():
        yield names.OUTPUT_TOKENS_OF[modality], tokens
    yield names.UNATTRIBUTED_TOKENS, usage.unattributed
    yield names.USAGE_SUSPECT, usage.suspect or None


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


def measurements(ending: Ending) -> Iterator[Measurement]:
    """Every number that the call adds to the metrics, with the labels that are its own."""
    failure = ending.failure
    yield (
        names.DURATION,
        ending.timing.duration,
        ((names.ERROR_TYPE, failure.type),) if failure else _NO_LABELS,
    )
    if ending.timing.first_chunk is not None:
        yield names.TIME_TO_FIRST_CHUNK, ending.timing.first_chunk, _NO_LABELS
    reasons = finish_reasons(ending)
    for reason in reasons:
        yield names.FINISH_REASON_COUNT, 1, ((names.FINISH_REASON, reason),)
    for block in _blocks(ending):
        pair = (names.BLOCK_STAGE, block.stage), (names.BLOCK_CATEGORY, block.category)
        yield names.SAFETY_BLOCKS, 1, pair
    usage = ending.reading.usage
    if usage is not None:
        yield from _tokens(usage)
        yield from _output(ending, usage, reasons)
    elif ending.outcome != "error":
        yield names.USAGE_MISSING, 1, ((names.OUTCOME, ending.outcome),)
    if ending.cost is not None:
        yield from _priced(ending.cost, reasons)


def _priced(cost: Cost, reasons: tuple[str, ...]) -> Iterator[Measurement]:
    for part, amount in _parts(cost):
        own = ((names.COST_PART, part), (names.FINISH_REASON, _one(reasons)))
        yield names.COST_OF_CALLS, amount, own
    if cost.missing is not None:
        yield names.COST_MISSING, 1, ((names.COST_REASON, cost.missing),)


def _one(reasons: tuple[str, ...]) -> str:
    return reasons[0] if len(set(reasons)) == 1 else names.MIXED


def _tokens(usage: Usage) -> Iterator[Measurement]:
    yield from _by_modality(names.INPUT_TOKENS, usage.input_tokens, usage.input_modalities)
    yield from _by_modality(names.OUTPUT_TOKENS, usage.output_tokens, usage.output_modalities)
    yield from _by_modality(names.CACHE_READ_TOKENS, usage.cache_read, {})
    yield from _by_modality(names.CACHE_WRITE_TOKENS, usage.cache_write, {})
    yield from _by_modality(names.REASONING_TOKENS, usage.reasoning, {})
    if usage.input_tokens is not None:
        yield names.INPUT_TOKENS_PER_CALL, usage.input_tokens, _NO_LABELS
    if usage.output_tokens is not None:
        yield names.OUTPUT_TOKENS_PER_CALL, usage.output_tokens, _NO_LABELS


def _by_modality(
    metric: Metric, whole: int | None, split: Mapping[str, int]
) -> Iterator[Measurement]:
    """The whole, split as the provider split it; the rest, and a split too large, is unknown."""
    if whole is None:
        return
    known = sum(split.values())
    parts = split if known <= whole else {}
    for modality, tokens in parts.items():
        yield metric, tokens, ((names.TOKEN_MODALITY, modality),)
    rest = whole - (known if parts else 0)
    if rest or not parts:
        yield metric, rest, ((names.TOKEN_MODALITY, names.UNKNOWN_MODALITY),)


def _output(ending: Ending, usage: Usage, reasons: tuple[str, ...]) -> Iterator[Measurement]:
    output = usage.output_tokens
    if output is None:
        return
    yield names.OUTPUT_TOKENS_BY_REASON, output, ((names.FINISH_REASON, _one(reasons)),)
    if ending.outcome != "ok":
        return
    limit = ending.request.max_tokens
    if limit and ending.request.choices == 1:
        yield names.OUTPUT_LIMIT_UTILIZATION, output / limit, _NO_LABELS
    writing = ending.timing.writing
    written = output - (usage.reasoning or 0)
    if writing is not None and writing >= _SHORTEST_WRITING and written > 0:
        yield names.OUTPUT_SPEED, written / writing, _NO_LABELS
