"""The rows of the fault table: each runs real processes into a fault, and counts what is lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.end_to_end.faults import serving
from tests.end_to_end.faults.world import Agent, FaultyServer
from tests.end_to_end.parts import app_environment, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.end_to_end.faults.world import Sink, World

ROOT = Path(__file__).parents[3]
BEFORE = 3.0  # seconds between the first call and the fault
RATE = 100  # calls a second
SETTLES = 12.0  # seconds that what was sent may take to arrive


@dataclass(frozen=True)
class Outcome:
    """What one set-up lost in one row."""

    made: int
    metrics_lost: int  # below 0: more were counted than made
    spans_lost: int
    spans_twice: int
    said_lost: int  # log lines that say that something is lost
    seconds: float  # from the last call, or the signal, until the process had ended


@dataclass
class App:
    """One process, or server, of one set-up."""

    setup: str
    service: str
    notes: Path
    log: Path
    process: Any = None
    told: float | None = None  # when it was told to end, on the monotonic clock
    ended: float = 0.0

    def environment(self, url: str) -> dict[str, str]:
        """Its variables: nothing but the endpoint and the name."""
        return app_environment(url, self.service)

    def wait_for(self, word: str, seconds: float = 150.0) -> None:
        """Until it said *word*."""
        eventually(lambda: word in self.log.read_text(errors="replace"), seconds)
        text = self.log.read_text(errors="replace")
        assert word in text, text[-4000:]

    def end(self, seconds: float = 120.0) -> None:
        """Wait until it has ended."""
        try:
            self.process.wait(seconds)
        finally:
            self.process.kill()

    def tell(self, number: int) -> None:
        """Send it the signal by which it shall end."""
        self.told = time.monotonic()
        self.process.send_signal(number)

    def note_end(self) -> None:
        """Wait for its end, and note when it was."""
        self.process.wait()
        self.ended = time.monotonic()

    def _seconds(self, log: str) -> float:
        made = re.search(r"^made (\S+)", log, re.MULTILINE)
        return self.ended - (self.told or float(made[1] if made else "nan"))

    def outcome(self, sink: Sink) -> Outcome:
        """What is lost, when all that comes has come."""
        made = self.notes.read_text().split()

        def complete() -> bool:
            return sink.calls(self.service) == len(made) and set(made) <= set(
                sink.spans(self.service)
            )

        eventually(complete, SETTLES)
        came = sink.spans(self.service)
        log = self.log.read_text(errors="replace")
        return Outcome(
            made=len(made),
            metrics_lost=round(len(made) - sink.calls(self.service)),
            spans_lost=len(set(made) - set(came)),
            spans_twice=sum(came[span] - 1 for span in made if span in came),
            said_lost=log.count("not everything could be sent"),
            seconds=self._seconds(log),
        )


def start(app: App, command: list[str], url: str, **more: str) -> None:
    """Start any command as the app."""
    with app.log.open("wb") as log:
        environment = {**app.environment(url), **more}
        app.process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    threading.Thread(target=app.note_end, daemon=True).start()


@dataclass
class Place:
    """Where a row runs: its folder, its apps, and what is stopped when it is over."""

    world: World
    folder: Path
    apps: list[App]
    running: ExitStack

    def agent(self) -> Agent:
        """An agent of the row's own; it stays until what it took has arrived."""
        agent = Agent(self.world, self.folder / "agent")
        self.running.callback(agent.stop)
        return agent

    def end(self) -> None:
        """Wait until the apps have ended."""
        for app in self.apps:
            app.end()


def collector_fault(fault: Callable[[Agent], None], seconds: float, place: Place) -> Sink:
    """Calls go on for *seconds*; after a few, the agent has its *fault*."""
    agent = place.agent()
    begin(place, agent, seconds)
    time.sleep(BEFORE)
    fault(agent)
    place.end()
    return agent


def away(seconds: float, agent: Agent) -> None:
    """Stopped, and started again."""
    agent.stop()
    time.sleep(seconds)
    agent.start()


def killed(seconds: float, agent: Agent) -> None:
    """The same, by kill -9."""
    agent.signal(signal.SIGKILL)
    away(seconds, agent)


def hangs(seconds: float, agent: Agent) -> None:
    """It takes connections, and answers nothing."""
    agent.signal(signal.SIGSTOP)
    time.sleep(seconds)
    agent.signal(signal.SIGCONT)


def fault_at_exit(number: int, place: Place) -> Sink:
    """The agent is gone, or hangs, before the last calls, until the app has ended."""
    agent = place.agent()
    begin(place, agent, 8)
    time.sleep(BEFORE)
    agent.signal(number)
    place.end()
    if number == signal.SIGSTOP:
        agent.signal(signal.SIGCONT)
    else:
        away(0, agent)
    return agent


def answers(fault: int | str, lasts: float, seconds: float, place: Place) -> Sink:
    """A server answers in a bad way for a while."""
    sink = FaultyServer()
    place.running.callback(sink.close)
    begin(place, sink, seconds)
    time.sleep(BEFORE)
    sink.fault = fault
    time.sleep(lasts)
    sink.fault = None
    place.end()
    return sink


def ending(end: str | int, seconds: float, rate: float, place: Place) -> Sink:
    """The app ends: by itself, or by a signal after its last call."""
    agent = place.agent()
    begin(place, agent, seconds, rate, "signal" if isinstance(end, int) else end)
    if isinstance(end, int):
        for app in place.apps:
            app.wait_for("made", 120)
            app.tell(end)
    place.end()
    return agent


def served(server: serving.Server, before: int, place: Place) -> Sink:
    """A server's workers answer requests; then it is told to stop, while the last are served."""
    agent = place.agent()
    for app in place.apps:
        queue = place.folder / f"broker-{app.setup}"
        queue.mkdir()
        environment = {
            "FAULTS_SETUP": app.setup,
            "FAULTS_NOTES": str(app.notes),
            "FAULTS_BEFORE": str(before),
            "FAULTS_BROKER": str(queue),
        }
        command, drive = server(queue)
        start(app, command, agent.url, **environment)
        drive(app)
        app.end()
    return agent


def begin(
    place: Place, sink: Sink, seconds: float, rate: float = RATE, end: str = "return"
) -> None:
    """Start the apps, and wait for their first calls."""
    module = [sys.executable, "-m", "tests.end_to_end.faults.app"]
    for app in place.apps:
        start(app, [*module, app.setup, str(app.notes), str(seconds), str(rate), end], sink.url)
    for app in place.apps:
        app.wait_for("begins")


@dataclass(frozen=True)
class Row:
    """One row: its words in the table, and what runs it."""

    name: str
    run: Callable[[Place], Sink]
    group: str
    may_lose: str = ""  # what `start()` may lose here, and why
    alone: bool = False  # needs the machine for itself

    def outcomes(
        self, world: World, folder: Path, setups: tuple[str, ...]
    ) -> Mapping[str, Outcome]:
        """Run it with each set-up, side by side."""
        folder.mkdir(parents=True)
        apps = [
            App(one, f"{folder.name}-{one}", folder / f"{one}.notes", folder / f"{one}.log")
            for one in setups
        ]
        for app in apps:
            app.notes.touch()
        with ExitStack() as running:
            sink = self.run(Place(world, folder, apps, running))
            return {app.setup: app.outcome(sink) for app in apps}


def _collector(name: str, fault: Callable[[Agent], None], seconds: float) -> Row:
    return Row(name, partial(collector_fault, fault, seconds), "The collector")


def _server(name: str, server: serving.Server, before: int = 0, may_lose: str = "") -> Row:
    return Row(name, partial(served, server, before), "Servers", may_lose)


INTERVAL = "the last interval, at most"
LEAVES = "what 5 seconds were not enough for: one log line says so"
SKIPS = "what waits: a busy worker skips Python's exit"
REFUSED = "what was refused: one log line says so"

ROWS = {
    "away-5": _collector("restarted, away for 5 s", partial(away, 5), 12),
    "away-30": _collector("restarted, away for 30 s", partial(away, 30), 40),
    "killed": _collector("killed with -9, away for 2 s", partial(killed, 2), 12),
    "killed-30": _collector("killed with -9, away for 30 s", partial(killed, 30), 40),
    "hangs": _collector("hangs for 30 s", partial(hangs, 30), 40),
    "dead-at-exit": Row(
        "dead while the app leaves", partial(fault_at_exit, signal.SIGKILL), "The collector", LEAVES
    ),
    "hangs-at-exit": Row(
        "hangs while the app leaves",
        partial(fault_at_exit, signal.SIGSTOP),
        "The collector",
        LEAVES,
    ),
    "503": Row("answers 503 for 30 s", partial(answers, 503, 30, 40), "Its answers"),
    "429": Row("answers 429 for 30 s", partial(answers, 429, 30, 40), "Its answers"),
    "400": Row("answers 400 for 10 s", partial(answers, 400, 10, 18), "Its answers", REFUSED),
    "302": Row("answers 302 for 10 s", partial(answers, 302, 10, 18), "Its answers"),
    "partial": Row(
        "accepts in part (nothing) for 10 s",
        partial(answers, "partial", 10, 18),
        "Its answers",
        REFUSED,
    ),
    "slow": Row("answers after 3 s, for 10 s", partial(answers, "slow", 10, 18), "Its answers"),
    "return": Row("ends", partial(ending, "return", 4, RATE), "The app"),
    "sigterm": Row("SIGTERM", partial(ending, signal.SIGTERM, 4, RATE), "The app"),
    "sigint": Row("SIGINT", partial(ending, signal.SIGINT, 4, RATE), "The app"),
    "exception": Row("unhandled exception", partial(ending, "exception", 4, RATE), "The app"),
    "_exit": Row("os._exit", partial(ending, "os._exit", 22, RATE), "The app", INTERVAL),
    "sigkill": Row("SIGKILL", partial(ending, signal.SIGKILL, 22, RATE), "The app", INTERVAL),
    "multiprocessing": Row(
        "children of multiprocessing", partial(ending, "multiprocessing", 2, RATE), "The app"
    ),
    "fork": Row("os.fork", partial(ending, "fork", 2, RATE), "The app"),
    "gunicorn": _server("gunicorn, 3 workers", serving.gunicorn()),
    "gunicorn-preload": _server(
        "gunicorn --preload, 50 calls before the fork", serving.gunicorn("--preload"), 50
    ),
    "uvicorn": _server("uvicorn", serving.uvicorn()),
    "uvicorn-workers": _server("uvicorn --workers 3", serving.uvicorn("--workers", "3")),
    "uwsgi-lazy": _server(
        "uwsgi --lazy-apps --enable-threads", serving.uwsgi("--lazy-apps", "--enable-threads")
    ),
    "uwsgi": _server("uwsgi --enable-threads", serving.uwsgi("--enable-threads")),
    "uwsgi-die": _server(
        "uwsgi --die-on-term, in the middle of requests",
        serving.uwsgi("--lazy-apps", "--enable-threads", stop="die-on-term"),
        may_lose=SKIPS,
    ),
    "uwsgi-threadless": _server(
        "uwsgi without threads", serving.uwsgi(), may_lose="all: `start()` warns"
    ),
    "celery": _server("celery, prefork, 2 processes", serving.celery()),
    "burst": Row("10,000 calls at once", partial(ending, "return", 0, 0), "Load", alone=True),
    "1000": Row(
        "1,000 calls a second for 10 s", partial(ending, "return", 10, 1000), "Load", alone=True
    ),
}
