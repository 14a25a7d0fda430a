"""What the demo shows: a live screen where there is a terminal and rich, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from replymeter.demo import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType
    from typing_extensions import Self

    from replymeter.demo.ledger import Row
    from replymeter.demo.numbers import Numbers

LEDGER = "The wire against the counters: tokens, endings, blocks, failures of every call"
_PLAIN_EVERY = 60  # calls


class View(Protocol):
    """Where the demo shows how far it is and what the counters say."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def loading(self, what: str, done: int, of: int) -> None:
        """*done* of so many providers are ready, *what* is next."""

    def playing(self, numbers: Numbers, done: int, of: int) -> None:
        """*done* of so many calls have ended."""

    def summary(self, numbers: Numbers, rows: Sequence[Row]) -> None:
        """Everything has ended."""


def terminal() -> bool:
    """Whether a person looks at the output."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def view() -> View:
    """The view that fits the output."""
    if terminal() and find_spec("rich"):
        return LiveView()
    if terminal():
        print("For the live view: pip install 'replymeter[cli]'")
    return PlainView()


class PlainView:
    """Lines, for logs and pipes."""

    def __init__(self) -> None:
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def loading(self, what: str, done: int, of: int) -> None:  # noqa: ARG002
        """One line, before the first."""
        if done == 0:
            print(f"Loading {of} kinds of models ...", flush=True)

    def playing(self, numbers: Numbers, done: int, of: int) -> None:
        """A line now and then."""
        if done < self._next and done < of:
            return
        self._next = done + _PLAIN_EVERY
        lines = report.headline(numbers)[:3]
        said = ", ".join(f"{line.label.lower()} {line.value}" for line in lines)
        print(f"{done:4}/{of} calls: {said}", flush=True)

    def summary(self, numbers: Numbers, rows: Sequence[Row]) -> None:
        """Everything, as text."""
        print("\nWhat the counters say")
        for line in report.headline(numbers):
            print(f"  {line.label:10}{line.value:>10}  {line.detail}")
        print()
        print("\n".join(report.aligned(report.models_table(numbers))))
        for title, counts in report.counts(numbers):
            print(f"\n{title}: " + ", ".join(f"{name} {count:,}" for name, count in counts))
        print(f"\n{LEDGER}")
        print("\n".join(report.aligned(report.ledger_table(rows))))


class LiveView:
    """A screen of its own while it runs, and the last of it printed at the end."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def loading(self, what: str, done: int, of: int) -> None:
        """A bar in the middle of the screen."""
        from rich.align import Align

        bar = _progress(f"loading {what}", done, of, "")
        self._live.update(Align.center(bar, vertical="middle"), refresh=True)
        self._started = time.monotonic()

    def playing(self, numbers: Numbers, done: int, of: int) -> None:
        """The whole screen, with as much of the lists below as there is room for."""
        from rich.console import Group
        from rich.text import Text

        models = report.models_table(numbers)
        # The title, six lines of headline, two headings, two empty lines, the progress bar.
        room = max(self._console.height - len(models.rows) - 12, 2)
        clock = f"{time.monotonic() - self._started:.0f} s"
        screen = Group(
            Text("Replymeter demo: what the counters say, live", style="bold"),
            _headline(numbers),
            Text(),
            _table(models, self._console.width),
            Text(),
            _counts(numbers, room),
            _progress("calls", done, of, clock),
        )
        self._live.update(screen, refresh=True)

    def summary(self, numbers: Numbers, rows: Sequence[Row]) -> None:
        """Everything, on the screen that was there before."""
        from rich.text import Text

        self._live.stop()
        show, width = self._console.print, self._console.width
        show(Text("Replymeter demo: what the counters say", style="bold"), _headline(numbers))
        show()
        show(_table(report.models_table(numbers), width))
        show()
        show(_counts(numbers, 20))
        show()
        show(Text(LEDGER, style="bold"), _table(report.ledger_table(rows), width))


def _headline(numbers: Numbers) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    lines = report.headline(numbers)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", min_width=max(len(line.label) for line in lines))
    grid.add_column(justify="right", min_width=max(len(line.value) for line in lines))
    grid.add_column(style="dim", no_wrap=True, overflow="ellipsis")
    for line in lines:
        value = Text(line.value, style="bold yellow" if line.alarm else "bold green")
        grid.add_row(line.label, value, line.detail)
    return grid


def _table(table: report.Table, width: int) -> RenderableType:
    """Only the last of the texts gives way where it is narrow: no number is ever cut."""
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold cyan")
    lines = (table.columns, *table.rows)
    widths = [max(len(line[index]) for line in lines) for index in range(len(table.columns))]
    elastic = table.left - 1
    widths[elastic] = max(
        1, min(widths[elastic], width - sum(widths) - len(widths) + widths[elastic])
    )
    for index, column in enumerate(table.columns):
        drawn.add_column(
            column,
            justify="left" if index < table.left else "right",
            no_wrap=True,
            overflow="ellipsis",
            min_width=widths[index],
            max_width=widths[index],
        )
    for row in table.rows:
        drawn.add_row(*row)
    return drawn


def _counts(numbers: Numbers, room: int) -> RenderableType:
    """Three lists side by side, each of at most *room* lines."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 3))
    lists = report.counts(numbers)
    for _ in lists:
        grid.add_column(no_wrap=True)
    grid.add_row(*(f"[bold cyan]{title}[/]" for title, _ in lists))
    grid.add_row(*(_bars(counts, room) for _, counts in lists))
    return grid


def _bars(counts: list[tuple[str, int]], room: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    shown = counts if len(counts) <= room else counts[: room - 1]
    grid = Table.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(style="cyan")
    most = max((count for _, count in counts), default=1)
    for name, count in shown:
        grid.add_row(name, f"{count:,}", "▇" * max(1, round(6 * count / most)))
    if len(shown) < len(counts):
        rest = counts[len(shown) :]
        grid.add_row(Text(f"{len(rest)} more", style="dim"), f"{sum(n for _, n in rest):,}", "")
    return grid


def _progress(what: str, done: int, of: int, clock: str) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    cells: list[Any] = [
        ProgressBar(total=of, completed=done, width=36),
        f"{done}/{of}",
        what,
        clock,
    ]
    grid.add_row(*cells)
    return grid
