"""A process that makes calls at a rate, then ends in the way that it is told.

`python -m tests.end_to_end.faults.app SETUP NOTES SECONDS RATE END`; a rate of 0 makes 10,000
calls as fast as they go, at once. It prints a line before the first call, one after the last.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from typing import TYPE_CHECKING

from tests.end_to_end.faults.setups import set_up

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

BURST = 10_000
CHILDREN, EACH = 3, 100


def say(word: str) -> None:
    """To whoever waits for it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def calls(llm: BaseChatModel, seconds: float, rate: float) -> None:
    """Make them."""
    begun = time.monotonic()
    for number in range(round(seconds * rate) if rate else BURST):
        llm.invoke("hello")
        if rate:
            time.sleep(max(0.0, begun + (number + 1) / rate - time.monotonic()))


def child(llm: BaseChatModel) -> None:
    """What a child does."""
    calls(llm, 1, EACH)


def forks(llm: BaseChatModel) -> None:
    """Fork children that end by `sys.exit`."""
    children = []
    for _ in range(CHILDREN):
        pid = os.fork()
        if pid == 0:
            child(llm)
            sys.exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)


def processes(llm: BaseChatModel) -> None:
    """Children of multiprocessing."""
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=child, args=(llm,)) for _ in range(CHILDREN)]
    for one in children:
        one.start()
    for one in children:
        one.join()


def main() -> None:
    """Call, and end."""
    setup, notes, seconds, rate, end = sys.argv[1:]
    llm = set_up(setup, notes)
    say("begins")
    calls(llm, float(seconds), float(rate))
    {"fork": forks, "multiprocessing": processes}.get(end, lambda _: None)(llm)
    say(f"made {time.monotonic()}")
    if end == "os._exit":
        os._exit(0)
    if end == "exception":
        raise RuntimeError("this app fails")
    if end == "signal":
        time.sleep(120)


if __name__ == "__main__":
    main()
