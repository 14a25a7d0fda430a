"""What ends inside a garbage collection is told after it, and by the process where it began.

A collection may close a stream that nobody read to its end, in any thread, at any line: also where
the SDK holds a lock that recording needs, which would then wait for itself for ever. So the end is
noted there, and told by a thread that starts when the collection is over.
"""

from __future__ import annotations

import gc
import os
from _thread import get_ident, start_new_thread  # `Thread.start` takes locks
from collections import deque
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_waiting: deque[Callable[[], None]] = deque()
_lock = RLock()
_collector: int | None = None
_telling = False
_forks = 0


def watch() -> None:
    """Know from now on when a collection runs."""
    if _note not in gc.callbacks:
        gc.callbacks.append(_note)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget)


def collecting() -> bool:
    """Whether this thread is inside a garbage collection."""
    return _collector is not None and _collector == get_ident()


def forks() -> int:
    """How many forks this process is away from the first: what was open then, its parent tells."""
    return _forks


def postpone(work: Callable[[], None]) -> None:
    """Do *work*, which raises nothing, after the collection that runs."""
    _waiting.append(work)


def settle() -> None:
    """Do what waits now, and wait for what another thread does of it."""
    with _lock:
        for _ in range(len(_waiting)):  # no more: other threads may go on as fast as this one
            if _waiting:  # what is told may settle, too
                _waiting.popleft()()


def _note(phase: str, _: object) -> None:
    global _collector, _telling  # noqa: PLW0603  # one collection runs at a time
    _collector = get_ident() if phase == "start" else None
    if _waiting and phase == "stop" and not _telling:  # one thread: an exporter may take its time
        _telling = True
        try:
            start_new_thread(_tell, ())
        except RuntimeError:  # no thread to be had, or the interpreter ends: the SDK went before
            _telling = False


def _tell() -> None:
    global _telling  # noqa: PLW0603
    try:
        settle()
    finally:
        _telling = False


def _forget() -> None:
    global _lock, _collector, _telling, _forks  # noqa: PLW0603
    _lock, _collector, _telling = RLock(), None, False
    _forks += 1
    _waiting.clear()  # the parent tells it
