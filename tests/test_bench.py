"""What `make bench` compares is the same work, and what it finds stands in its tables."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from bench import idle, imports, instructions, memory, peers, steps
from bench.__main__ import main
from bench.endings import ENDINGS, TOGETHER
from bench.floor import floor
from bench.hops import per_chunk
from bench.layers import layer, layers, plain
from bench.memory import growth
from bench.model import CHUNKS, Model
from bench.page import PAGE
from bench.targets import TARGETS, Found, rendered
from bench.tasks import CALLS
from bench.timing import interleaved
from replymeter import conventions as names
from replymeter.testing import Captured, capture_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

CLOCKS = {names.RESPONSE_TIME_TO_FIRST_CHUNK}
TIMED = {names.DURATION, names.TIME_TO_FIRST_CHUNK, names.TIME_PER_OUTPUT_CHUNK}


def said(captured: Captured) -> tuple[Any, ...]:
    """The span, and every series that is not 0; of a time only how often it was recorded."""
    (span,) = captured.spans
    attributes = {k: None if k in CLOCKS else v for k, v in (span.attributes or {}).items()}
    series = {
        (metric.name, *sorted(map(str, labels.items()))): (
            (point.count if metric in TIMED else getattr(point, "value", None) or point.sum),
            len(point.exemplars) > 0,
        )
        for metric in names.METRICS
        for labels, point in captured.points(metric.name)
        if getattr(point, "value", 1)
    }
    return span.name, span.kind, attributes, series


@pytest.mark.parametrize("chunk_timing", [False, True])
@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_the_floor_says_what_replymeter_says(
    method: str, instrument: Callable[..., Any], captured: Captured, *, chunk_timing: bool
) -> None:
    """The same span, the same attributes, the same records."""
    llm = instrument(Model(), chunk_timing=chunk_timing)
    with capture_telemetry() as by_hand:
        bare = floor(by_hand.tracer_provider, by_hand.meter_provider, chunk_timing=chunk_timing)
        for model in (llm, bare):
            list(getattr(model, method)("x"))

        assert said(captured) == said(by_hand)


OUTCOMES = {
    "answered": "ok",
    "answered, `ainvoke`": "ok",
    "failed": "error",
    "stream broken off by an error": "error",
    "stream abandoned": "abandoned",
    "`astream` abandoned": "abandoned",
    "`ainvoke` cancelled": "cancelled",
    "`ainvoke` timed out": "cancelled",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ending_is_what_it_is_called(
    ending: str, instrument: Callable[..., Any], captured: Captured
) -> None:
    """Each call of it ends in that way, and says so."""
    work, settings = ENDINGS[ending]

    work(instrument(Model(**settings)), TOGETHER)

    outcomes = Counter((span.attributes or {})[names.OUTCOME] for span in captured.spans)
    assert outcomes == {OUTCOMES[ending]: TOGETHER}


def test_what_a_call_leaves_behind_is_counted() -> None:
    """Two objects a call that somebody keeps are two, and none are none."""
    kept: list[Any] = []

    def keep(model: Any, calls: int) -> None:
        kept.extend([[model]] for _ in range(calls))

    objects, _ = growth(keep, Model(), 50_000)
    none, _ = growth(lambda model, calls: None, Model(), 50_000)

    # What other tests left may go meanwhile.
    assert objects == pytest.approx(2, abs=0.3)
    assert none == pytest.approx(0, abs=0.3)


class Slow(BaseCallbackHandler):
    """A callback without `run_inline`, which LangChain runs in a thread."""


@pytest.mark.parametrize(("model", "hops"), [(Model(callbacks=[Slow()]), 1), (Model(), 0)])
def test_hops_to_threads_are_counted(model: Model, hops: float) -> None:
    """A synchronous callback takes one a chunk."""
    assert per_chunk(layer(model)) == hops


def test_a_layer_is_set_up_around_each_task() -> None:
    """Every layer and task, in turn; the first round does not count."""
    seen: list[str] = []

    @contextmanager
    def one(name: str) -> Iterator[Any]:
        seen.append(name)
        yield name

    times = iter([100.0, 100.0, 1.0, 4.0, 3.0, 8.0, 2.0, 6.0])
    table = interleaved(
        {name: partial(one, name) for name in "ab"}, {"task": lambda _: next(times)}, 3
    )

    assert seen == ["a", "b"] * 4
    assert table == {"a": {"task": 2}, "b": {"task": 6}}


def test_every_layer_answers() -> None:
    """Those with a dead SDK too."""
    for one in layers().values():
        with one() as model:
            assert model.invoke("x").content == "hi"
            assert len(list(model.stream("x"))) > CHUNKS


def test_every_step_is_one_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step whose function was renamed, or is no longer called, would be missing."""
    monkeypatch.setattr(steps, "CALLS", 3)
    table = steps.measure()
    assert all(table[step.what].get("replymeter", 0) > 0 for step in steps.STEPS)
    assert sum("floor" in row for row in table.values()) == 4


def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that nobody measured, in the place of every measurement."""
    number = iter(count(1.0))

    def row(columns: Iterable[str]) -> dict[str, float]:
        return {column: next(number) for column in columns}

    def rows(of: Iterable[str], columns: Sequence[str]) -> dict[str, Any]:
        return {name: row(columns) for name in of}

    ends = ("objects", "bytes")
    peer: dict[str, Any] = {"times": rows((*plain(), "peer"), tuple(CALLS))}
    peer["threads"], peer["import"] = row((*plain(), "peer")), row(("replymeter", "peer"))
    peer["retained"] = rows(ENDINGS, ends)
    idle_rows = rows(("none", "forwarding", "not instrumented"), tuple(idle.TASKS))
    counted = rows(instructions.NAMES, tuple(instructions.COLUMNS))
    imported = rows(imports.STEPS, ("milliseconds", "modules"))
    timed = rows((step.what for step in steps.STEPS), ("floor", "replymeter"))
    monkeypatch.setattr(
        "bench.__main__.interleaved", lambda made, tasks, rounds: rows(made, tuple(tasks))
    )
    monkeypatch.setattr(idle, "measure", lambda rounds: idle_rows)
    monkeypatch.setattr(imports, "measure", lambda rounds: imported)
    monkeypatch.setattr(steps, "measure", lambda: timed)
    monkeypatch.setattr(memory, "measure", lambda: {one: rows(ENDINGS, ends) for one in plain()})
    monkeypatch.setattr(instructions, "measure", lambda: counted)
    monkeypatch.setattr(peers, "PEERS", {"peer": None, "other": None})
    monkeypatch.setattr(
        peers, "measure", lambda name, rounds: peer if name == "peer" else "there is none"
    )


def test_the_page_has_every_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every table of docs/benchmarks.md is written; a project that is not there is skipped."""
    _measured(monkeypatch)
    written = tmp_path / "benchmarks.md"
    empty = re.sub(
        r"(<!-- generated: .* -->).*?(<!-- end -->)", r"\1\2", PAGE.read_text(), flags=re.DOTALL
    )
    written.write_text(empty)
    monkeypatch.setattr(
        "sys.argv", ["bench", "2", "--peers", "--callgrind", "--page", str(written)]
    )

    main()

    text = written.read_text()
    for name, part in re.findall(r"<!-- generated: (.*?) -->(.*?)<!-- end -->", text, re.DOTALL):
        assert "| --- |" in part, name
        assert "2 rounds." in part, name
    rows = {line.split(" | ")[0].strip("|* ") for line in text.splitlines() if line.startswith("|")}
    assert rows >= {
        *layers(),
        *ENDINGS,
        *imports.STEPS,
        *(one.what for one in TARGETS),
        *(step.what for step in steps.STEPS),
        "`peer`",
    } - {"none"}
    assert "Skipped: other: there is none" in capsys.readouterr().out
    assert "Skipped: other." in text


def test_a_part_that_was_not_measured_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tables of other projects are those of the last run with them."""
    _measured(monkeypatch)
    written = tmp_path / "benchmarks.md"
    written.write_text("<!-- generated: bench: peers -->\n\nbefore\n\n<!-- end -->\n")
    monkeypatch.setattr("sys.argv", ["bench", "2", "--page", str(written)])

    main()

    assert "before" in written.read_text()


@pytest.mark.parametrize(("most", "verdict"), [(1.5, "met"), (1.4, "**not met**")])
def test_a_target_says_whether_it_is_met(most: float, verdict: str) -> None:
    """The greatest number decides."""
    idle_rows = {"none": {"x": 10.0}, "forwarding": {"x": 20.0}, "not instrumented": {"x": 25.0}}
    found = Found({}, idle_rows, {}, {}, 0.0)
    target = next(one for one in TARGETS if "forwarding" in one.what)

    text = rendered(found, (target._replace(most=most),))

    assert f"| {most} | 1.50 | {verdict} |" in text


def test_a_project_that_cannot_be_installed_is_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the reason, and nothing is raised."""
    missing = tmp_path / "missing-1-py3-none-any.whl"
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(
        peers,
        "PEERS",
        {"missing": peers.Peer((str(missing),), "missing", lambda *_: layer(Model()))},
    )

    said = peers.measure("missing", 1)

    assert isinstance(said, str)
    assert said


def test_instructions_need_valgrind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it there is a reason instead of a table."""
    monkeypatch.setattr("bench.instructions.shutil.which", lambda _: None)

    assert instructions.measure() == "valgrind is not on the PATH"
