"""What a model costs that is not instrumented, of a class that is, for the sake of another.

Its `_generate` gives a constant, so that the pass through Replymeter's wrapper is most of it.
"""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING, Any

import replymeter
from bench.layers import layer
from bench.model import Model
from bench.timing import interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.outputs import ChatResult

    from bench.page import Table

CALLS = 50_000
REPLY = Model().answer()


class Constant(Model):
    """Gives what it has."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return REPLY


class Forwarding(Constant):
    """The same behind a function that only calls it: the least that any wrapper costs."""


def _forward(original: Any) -> Any:
    def forwarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs)

    return forwarded


Forwarding._generate = _forward(Constant._generate)  # type: ignore[method-assign]


class Unmarked(Constant):
    """The same, of a class that is instrumented."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return REPLY


class Inheriting(Constant):
    """Has its `_generate` from the class above, as ChatOpenAI has."""


class ForwardingUp(Inheriting):
    """The same behind a function that only calls it."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return super()._generate(*args, **kwargs)


class UnmarkedBelow(Inheriting):
    """The same, of a class that is instrumented."""


def passes(model: Any) -> float:
    """Nanoseconds of one `_generate`, the loop with it."""
    messages: list[Any] = []
    started = process_time()
    for _ in range(CALLS):
        model._generate(messages)
    return (process_time() - started) * 1e9 / CALLS


TASKS: dict[str, Callable[[Any], float]] = {
    "own `_generate`": lambda pair: passes(pair[0]),
    "inherited": lambda pair: passes(pair[1]),
}


def measure(rounds: int) -> Table:
    """Nanoseconds of a call, bare, forwarded, and through Replymeter's wrapper."""
    for model in (Unmarked(), UnmarkedBelow()):
        replymeter.instrument(model)
    models = {
        "none": (Constant(), Inheriting()),
        "forwarding": (Forwarding(), ForwardingUp()),
        "not instrumented": (Unmarked(), UnmarkedBelow()),
    }
    made = {name: layer(pair) for name, pair in models.items()}
    return interleaved(made, TASKS, 3 * rounds)
