"""How a process that `start` set up leaves: whatever ends it, what waits is sent, within seconds.

The interpreter's exit, SIGTERM (the earlier handler is kept and called), `multiprocessing`'s
children (they skip the exit's hooks), and `fork`, after which the child counts from 0 by itself.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from replymeter.log import LOG
from replymeter.postponed import settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SECONDS = 5.0
"""How long leaving may take, whatever the collector does."""

_SLICE = 0.2  # seconds: how often who waits looks whether to hurry
_HURRY = 0.1  # seconds between exports once SIGTERM was seen: anything may end the process now
_BEFORE_OTHERS = 2.0  # seconds that the earlier handler of SIGTERM waits for a collector
_LAST = -1000  # multiprocessing runs its finalizers by priority, this one after the others

_LOST = (
    "replymeter: this process ends, and not everything could be sent in %.0f s; the rest is lost. "
    "Is the collector there (OTEL_EXPORTER_OTLP_ENDPOINT)? One on the same machine keeps what a "
    "distant one cannot take yet."
)


class Patience:
    """How long a collector that is away is waited for: *seconds*, or None for as long as it takes.

    `refused` is what one that was there did not want.
    """

    def __init__(self, seconds: float | None) -> None:
        self.refused = 0
        self._seconds = seconds
        self._hurry_until = 0.0

    def end(self) -> float:
        """When it is over, on the monotonic clock, for who begins to wait now."""
        return math.inf if self._seconds is None else time.monotonic() + self._seconds

    def hurry(self) -> None:
        """Somebody waits for the end: try again at once, and often."""
        self._hurry_until = time.monotonic() + SECONDS  # no lock: safe in a signal handler

    def wait(self, seconds: float) -> None:
        """Wait before the next try; short while somebody hurries."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(_SLICE)
            if time.monotonic() < self._hurry_until:
                return


class Signal:
    """One signal's way out, traces or metrics: how to `flush` it, and how to `stop` it.

    The work is done by a thread that is there before it is needed, so that whoever waits can stop
    waiting: from Python 3.12 on no thread can be started at exit.
    """

    def __init__(
        self,
        flush: Callable[[], Any],
        stop: Callable[[], Any],
        failed: Callable[[], int],
        patience: Patience,
    ) -> None:
        self._jobs = {"flush": flush, "stop": stop}
        self._failed, self._patience = failed, patience
        self.begin()

    def failed(self) -> int:
        """How often something could not be sent; more than before means that something was not."""
        return self._failed() + self._patience.refused

    def begin(self) -> None:
        """Start the thread; again in a forked child, which has only the one that forked."""
        self._asked: SimpleQueue[tuple[str, threading.Event]] = SimpleQueue()
        threading.Thread(
            target=self._work, args=(self._asked,), name="replymeter-leaving", daemon=True
        ).start()

    def ask(self, job: str) -> threading.Event:
        """Have it done; the event is set when it is."""
        done = threading.Event()
        self._patience.hurry()
        self._asked.put((job, done))  # safe in a signal handler
        return done

    def _work(self, asked: SimpleQueue[tuple[str, threading.Event]]) -> None:
        while True:
            job, done = asked.get()
            try:
                settle()
                self._jobs[job]()
            except Exception:  # noqa: BLE001  # whoever waits must go on
                LOG.exception("replymeter: %s failed", job)
            done.set()


class Leaving:
    """Ends *signals* well, however the process ends."""

    def __init__(self, signals: list[Signal]) -> None:
        self._signals = signals
        self.left = False
        self._busy = 0
        self._terminated: int | None = None
        self._hurrying = False

    def watch(self) -> None:
        """Install the hooks."""
        atexit.register(self.leave)
        _in_multiprocessing_children(self)
        self._watch_sigterm()

    def hold(self) -> None:
        """Put SIGTERM off: what is going on now must be done first, and holds locks meanwhile."""
        self._busy += 1

    def release(self) -> None:
        """Go on; a SIGTERM that came meanwhile, to this process and not its parent, comes now."""
        self._busy = max(0, self._busy - 1)  # uwsgi's fork is not announced by `hold`
        if not self._busy and self._terminated == os.getpid():
            os.kill(os.getpid(), signal.SIGTERM)

    def forked(self) -> None:
        """Go on in a forked child."""
        self._hurrying = False
        for one in self._signals:
            one.begin()
        celery: Any = sys.modules.get("celery.signals")
        if celery:  # its pool's processes end by `os._exit`, after this only
            celery.worker_process_shutdown.connect(self._left_by_celery, weak=False)

    def flush(self, seconds: float = SECONDS) -> bool:
        """Send what waits; False when not all of it was sent in time."""
        return self.left or self._all("flush", seconds)

    def leave(self, seconds: float = SECONDS) -> None:
        """Send what waits and stop; says so when something could not be sent."""
        if self.left:
            return
        self.hold()
        self.left = True
        try:
            if not self._all("stop", seconds):
                LOG.warning(_LOST, seconds)
        finally:
            self.release()

    def _left_by_celery(self, **_: object) -> None:
        self.leave()

    def _all(self, job: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        failed = self._failed()
        asked = [one.ask(job) for one in self._signals]
        done = [event.wait(max(0.0, end - time.monotonic())) for event in asked]
        return all(done) and self._failed() == failed

    def _failed(self) -> int:
        return sum(one.failed() for one in self._signals)

    def _watch_sigterm(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        if before in (signal.SIG_IGN, None):
            return  # nobody ends by it, or not Python handles it

        def handle(number: int, frame: FrameType | None) -> None:
            if callable(before):
                self._hurry()
                before(number, frame)
                return
            if self._busy:  # leaving already, as multiprocessing's pools send it, or forking
                self._terminated = os.getpid()
                return
            self.leave()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

        with suppress(ValueError):  # only the main thread can; the exit has its own hook
            signal.signal(signal.SIGTERM, handle)

    def _hurry(self) -> None:
        """Send all the time: after a graceful stop some servers end by the signal's default."""
        self.flush(_BEFORE_OTHERS)
        if self._hurrying:
            return
        self._hurrying = True

        def hurry() -> None:
            while self._hurrying and not self.left:
                time.sleep(_HURRY)
                self.flush()

        threading.Thread(target=hurry, name="replymeter-hurry", daemon=True).start()
        self._watch_raise_signal()

    def _watch_raise_signal(self) -> None:
        """Uvicorn puts the default back after its graceful stop, and raises the signal again."""
        plain = signal.raise_signal

        def raise_signal(signalnum: int, /) -> None:
            if signalnum == signal.SIGTERM and signal.getsignal(signalnum) is signal.SIG_DFL:
                self.leave()
            plain(signalnum)

        signal.raise_signal = raise_signal


def _in_multiprocessing_children(leaving: Leaving) -> None:
    """These end by `os._exit`, after their own finalizers only."""
    from multiprocessing import parent_process, util

    def finalize(_: object = None) -> None:
        util.Finalize(None, leaving.leave, exitpriority=_LAST)

    util.register_after_fork(leaving, finalize)
    if parent_process() is not None:
        finalize()


def warn_of_uwsgi() -> None:
    """Without threads no metric is ever sent there."""
    uwsgi = sys.modules.get("uwsgi")
    options = getattr(uwsgi, "opt", {})
    if uwsgi is not None and not ({"enable-threads", b"enable-threads"} & set(options)):
        LOG.warning(
            "replymeter.start: uwsgi runs without threads, so nothing can be sent in the "
            "background. Start it with --enable-threads (and --lazy-apps)."
        )


def after_uwsgi_forks(hook: Callable[[], None]) -> None:
    """Without --lazy-apps it forks in C: Python's hooks are not called, but one of its own is."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    with suppress(Exception):  # not installed, or refused because there is no master
        from uwsgidecorators import postfork  # type: ignore[import-untyped]

        postfork(hook)
        return
    before = getattr(uwsgi, "post_fork_hook", None)

    def both() -> None:
        hook()
        if before:
            before()

    uwsgi.post_fork_hook = both
