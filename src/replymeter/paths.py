"""The walker that reads every provider's rows, and what a value must be to be believed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_ITEMS = 1000
"""How many items or characters are looked at: bounds the time that a huge reply costs."""

_WORD = re.compile(r"[A-Za-z0-9_.:/ -]{1,64}")
_LONGEST_NAME = 256
_MOST = 2**63 - 1  # OTLP's integers are 64 bits wide


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


class Tree:
    """Paths that are looked up together, in one walk that stops where there is nothing."""

    def __init__(self, paths: Iterable[str], path: str = "") -> None:
        self.path = path
        self.ends: list[str] = []
        self.below: dict[str, Tree] = {}
        for row in paths:
            node = self
            for step in takewhile("*".__ne__, _steps(row)):
                node = node.below.setdefault(step, Tree((), f"{node.path}.{step}".lstrip(".")))
            node.ends.append(row)

    def find(self, root: Mapping[str, Any], broken: list[str]) -> dict[str, Any]:
        """The value at each path that has one; of a path with `*`, what stands before it.

        What raises when it is read is left out, and its path appended to *broken*.
        """
        found: dict[str, Any] = {}
        self.gather(root, found, broken)
        return found

    def gather(self, node: Mapping[str, Any], found: dict[str, Any], broken: list[str]) -> None:
        """Put into *found* what *node* has, at any depth."""
        below = self.below
        try:
            for step in node if len(node) < len(below) else below:
                branch = below.get(step)
                if branch is None or (value := node.get(step)) is None:
                    continue
                for path in branch.ends:
                    found[path] = value
                if branch.below and (type(value) is dict or isinstance(value, Mapping)):
                    branch.gather(value, found, broken)
        except Exception:  # noqa: BLE001  # an SDK's mapping, whose code we do not know
            broken.append(self.path)


def values_at(root: Any, path: str) -> Iterator[Any]:
    """Every value at *path* that is not None, in order."""
    return _walk(root, _steps(path), iter(range(MOST_ITEMS)))


def value_at(root: Any, path: str) -> Any:
    """The first value at *path*, or None."""
    node = root
    for step in _steps(path):
        if step == "*":
            return next(values_at(root, path), None)
        if type(node) is not dict and not isinstance(node, Mapping):
            return None
        node = node.get(step)
    return node


def _walk(node: Any, steps: tuple[str, ...], budget: Iterator[int]) -> Iterator[Any]:
    for index, step in enumerate(steps):
        if step == "*":
            items = node.values() if isinstance(node, Mapping) else node
            if isinstance(items, (list, tuple)) or isinstance(node, Mapping):
                for item, _ in zip(items, budget, strict=False):  # each item of any list is one
                    yield from _walk(item, steps[index + 1 :], budget)
            return
        if not isinstance(node, Mapping):
            if not isinstance(node, BaseModel):
                return
            node = node.__dict__  # as some SDKs hand lists of objects on
        node = node.get(step)
    if node is not None:
        yield node


def text(value: Any) -> str | None:
    """A text (of an enum: its value) short enough to look at, or None."""
    if type(value) is not str:
        if isinstance(value, Enum):
            value = value.value
        if not isinstance(value, str):
            return None
        value = str.__str__(value)  # a plain one: the class of another may raise at anything
    return value if len(value) <= MOST_ITEMS else None


def name(value: Any) -> str | None:
    """A text that somebody chose (a model, a stop sequence), cut at 256 characters, or None."""
    said = text(value)
    if not said:
        return None
    if said.isascii():
        return said[:_LONGEST_NAME]
    # OTLP is UTF-8: one lone surrogate would cost the whole batch.
    return said[:_LONGEST_NAME].encode(errors="replace").decode()


def word(value: Any) -> str | None:
    """An enum-like text of at most 64 characters; anything else is content, or nothing: None."""
    said = value if type(value) is str else text(value)
    return said if said and _WORD.fullmatch(said) else None


def number(value: Any) -> float | None:
    """A finite number that is not a bool, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def count(value: Any) -> int | None:
    """A whole number of 0 or more that OTLP can carry, or None."""
    if type(value) is not int:
        if not isinstance(value, float) or not value.is_integer():
            return None
        value = int(value)
    return value if 0 <= value <= _MOST else None
