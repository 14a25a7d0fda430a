"""The words and rows of the demo's screen: texts made of numbers, for any kind of view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replymeter import conventions as names
from replymeter.demo.numbers import BLOCKED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from replymeter.demo.ledger import Row
    from replymeter.demo.numbers import Numbers


@dataclass(frozen=True)
class Line:
    """One line of the headline; `alarm` says that there is something to look at."""

    label: str
    value: str
    detail: str
    alarm: bool = False


@dataclass(frozen=True)
class Table:
    """Columns and rows of texts; the first `left` columns are texts, the others numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


def headline(numbers: Numbers) -> list[Line]:
    """Is anything cut off or blocked, and what does it cost in tokens?"""
    endings, answers = numbers.endings(), numbers.answers()
    cut, blocked = endings["length"], sum(endings[reason] for reason in BLOCKED)
    failures, calls = numbers.errors(), numbers.calls()
    unseen = numbers.by(names.USAGE_MISSING, names.OUTCOME)
    return [
        Line(
            "Cut off",
            _share(cut, answers),
            f"{cut:,} of {answers:,} answers; paid for: "
            f"{numbers.paid_for('length'):,} output tokens",
            cut > 0,
        ),
        Line(
            "Blocked",
            _share(blocked, answers),
            f"{blocked:,} of {answers:,} answers; paid for: "
            f"{numbers.paid_for(*BLOCKED):,} output tokens",
            blocked > 0,
        ),
        Line(
            "Failed",
            _share(failures.total(), calls),
            f"{failures.total():,} of {calls:,} calls, {endings['cancelled']:,} more cancelled, "
            f"{endings['abandoned']:,} abandoned",
            failures.total() > 0,
        ),
        Line("No usage", f"{unseen.total():,}", _unseen(unseen), unseen.total() > 0),
        _tokens(numbers),
        _latency(numbers),
    ]


def _unseen(unseen: Counter[str]) -> str:
    return f"calls with tokens unseen{_listed(unseen)}"


def _tokens(numbers: Numbers) -> Line:
    cached, written = numbers.total(names.CACHE_READ_TOKENS), numbers.total(names.OUTPUT_TOKENS)
    reasoning = numbers.total(names.REASONING_TOKENS)
    return Line(
        "Tokens",
        f"{numbers.total(names.INPUT_TOKENS):,}",
        f"in ({cached:,} of them from cache), {written:,} out ({reasoning:,} reasoning)",
    )


def _latency(numbers: Numbers) -> Line:
    typical, slow = (numbers.quantile(names.DURATION, share) for share in (0.5, 0.95))
    first = numbers.quantile(names.TIME_TO_FIRST_CHUNK, 0.5)
    detail = f"median; 95 % of calls within {seconds(slow)}; first chunk after {seconds(first)}"
    return Line("Latency", seconds(typical), detail)


def _listed(counts: Counter[str]) -> str:
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    return f": {listed}" if listed else ""


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def seconds(value: float | None) -> str:
    """A time as people read it; `-` when there is none."""
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def models_table(numbers: Numbers) -> Table:
    """One row for each model."""
    rows = []
    for model in numbers.models():
        endings, answers = numbers.endings(model), numbers.answers(model)
        rows.append(
            (
                model[0],
                model[1].rpartition("/")[2],
                f"{numbers.calls(model):,}",
                f"{numbers.total(names.INPUT_TOKENS, model):,}",
                f"{numbers.total(names.OUTPUT_TOKENS, model):,}",
                _share(endings["length"], answers),
                _share(sum(endings[reason] for reason in BLOCKED), answers),
                seconds(numbers.quantile(names.DURATION, 0.95, model)),
            )
        )
    columns = ("provider", "model", "calls", "input", "output", "cut off", "blocked", "p95")
    return Table(columns, tuple(rows), left=2)


def counts(numbers: Numbers) -> list[tuple[str, list[tuple[str, int]]]]:
    """How answers ended, what was blocked, how calls failed: the most frequent first."""
    blocks = numbers.by(names.SAFETY_BLOCKS, names.BLOCK_CATEGORY)
    return [
        ("Finish reasons", numbers.endings().most_common()),
        ("Blocks by category", blocks.most_common()),
        ("Failures by type", numbers.errors().most_common()),
    ]


def ledger_table(rows: Sequence[Row]) -> Table:
    """One row for each provider: the wire against the counters, and how much they differ."""
    lines = []
    for row in rows:
        tokens = [
            f"{side[fact]:,}"
            for fact in ("input tokens", "output tokens")
            for side in (row.wire, row.counters)
        ]
        ended = [f"{row.counters[f'ended {how}']:,}" for how in ("cancelled", "abandoned")]
        off = sum(abs(wire - counted) for wire, counted in row.differences.values())
        lines.append((row.provider, f"{row.counters['calls']:,}", *tokens, *ended, f"{off:,}"))
    columns = (
        "provider", "calls", "in wire", "counter", "out wire", "counter", "cancelled",
        "abandoned", "off by",
    )  # fmt: skip
    return Table(columns, tuple(lines))


def differences(rows: Sequence[Row]) -> list[str]:
    """A sentence for each fact in which the wire and the counters differ."""
    return [
        f"{row.provider}, {fact}: the wire says {wire:,}, the counters say {counted:,}"
        for row in rows
        for fact, (wire, counted) in row.differences.items()
    ]


def aligned(table: Table) -> list[str]:
    """*table* as plain text, a line each."""
    lines = (table.columns, *table.rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    return [
        "  ".join(
            cell.ljust(width) if column < table.left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
