"""A pickled model comes back instrumented: its mark is restored, and its class wrapped again.

In the same process with its own instrumentation; in another one, which does not have the providers
it was instrumented with, with the global ones.
"""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakValueDictionary

from replymeter.log import LOG
from replymeter.marks import Instrumentation, Mark
from replymeter.telemetry import telemetry_of
from replymeter.wrap import wrap_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

    from replymeter.settings import Settings

_ELSEWHERE = (
    "replymeter: an instrumented model was unpickled in a process that does not have the "
    "providers it was instrumented with; its telemetry goes to the global ones."
)
_KEYS: WeakKeyDictionary[Instrumentation, str] = WeakKeyDictionary()
_LIVE: WeakValueDictionary[str, Instrumentation] = WeakValueDictionary()


def _reduced(mark: Mark) -> tuple[Callable[..., Mark], tuple[Any, ...]]:
    made = mark.instrumentation
    key = _KEYS.setdefault(made, uuid4().hex)
    _LIVE[key] = made
    settings = made.settings
    if settings.content is not None and settings.content.redact is not None:
        settings = settings._replace(content=None)  # elsewhere there may be no such function
    return _restored, (mark.model_class, key, settings, made.telemetry.given, made.active)


def _restored(
    model_class: type[BaseChatModel],
    key: str,
    settings: Settings,
    given: bool,  # noqa: FBT001  # pickle passes no keywords
    active: bool,  # noqa: FBT001
) -> Mark:
    made = _LIVE.get(key)
    if made is None:
        made = Instrumentation(settings, telemetry_of(None, None, None))
        made.active = active
        if given and active:
            LOG.warning(_ELSEWHERE)
    if made.active:
        wrap_class(model_class, made)
    return Mark(model_class, made)


def follow_pickle() -> None:
    """Have `pickle` carry marks this way."""
    copyreg.pickle(Mark, _reduced)
