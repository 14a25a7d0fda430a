"""Configurable runnables build a new model for each configuration: the mark must follow.

`configurable_fields` rebuilds the model from its fields, of which the mark is none; an
alternative may be a function that makes a model. Both go through `_prepare`.
"""

from __future__ import annotations

import functools
from typing import Any

from langchain_core.language_models import BaseChatModel

from replymeter.marks import MARK, Mark, mark_of
from replymeter.wrap import wrap_class

_originals: dict[type[Any], Any] = {}


def follow_configurable() -> None:
    """Mark, from now on, what an instrumented configurable model is rebuilt to."""
    from langchain_core.runnables import configurable  # noqa: PLC0415  # milliseconds of an import

    for runnable in (
        configurable.RunnableConfigurableFields,
        configurable.RunnableConfigurableAlternatives,
    ):
        if runnable not in _originals:
            _originals[runnable] = original = runnable._prepare  # noqa: SLF001
            runnable._prepare = _following(original)  # type: ignore[method-assign]  # noqa: SLF001


def unfollow_configurable() -> None:
    """Undo `follow_configurable`."""
    while _originals:
        configurable, original = _originals.popitem()
        configurable._prepare = original  # noqa: SLF001


def _following(original: Any) -> Any:
    @functools.wraps(original)
    def _prepare(self: Any, config: Any = None) -> Any:
        prepared = original(self, config)
        model, mark = prepared[0], mark_of(self.default)
        given = getattr(self, "alternatives", {}).values()  # those were marked, or left out
        made = model is not self.default and not any(model is one for one in given)
        if made and mark is not None and isinstance(model, BaseChatModel):
            wrap_class(type(model), mark.instrumentation)
            model.__dict__.setdefault(MARK, Mark(type(model), mark.instrumentation))
        return prepared

    return _prepare
