"""The mark that an instrumented instance carries, and that its copies share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter.providers import find, unplaced
from replymeter.request import request_model
from replymeter.unknown import ask_for_provider

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from replymeter.providers import Target
    from replymeter.settings import Settings
    from replymeter.telemetry import Telemetry

MARK = "_replymeter_mark"
"""The key in an instance's `__dict__`. It is no field: no part of equality, `dict()` or dumps."""


class Instrumentation:
    """What one `instrument()` set up; `active` until `uninstrument()` undoes it."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.settings = settings
        self.telemetry = telemetry
        self.active = True


class Mark:
    """What `instrument()` leaves on an instance: the instrumentation, and what the model calls.

    `target` is found when the mark is first used. Copies of the instance, deep ones too, share
    the mark.
    """

    __slots__ = ("instrumentation", "model_class", "target")

    def __init__(self, model_class: type[BaseChatModel], instrumentation: Instrumentation) -> None:
        self.model_class = model_class
        self.instrumentation = instrumentation
        self.target: Target | None = None

    def aim(self, model: BaseChatModel) -> Target:
        """Find what *model* calls, make the model ready, and create its series at 0."""
        made = self.instrumentation
        try:
            target = find(model, made.settings.provider)
        except Exception as error:  # noqa: BLE001  # the call is counted, only not placed
            made.telemetry.failed("begin", error)
            target = unplaced(model, made.settings.provider)
        self.target = target
        try:
            if target.unknown:
                ask_for_provider(model, target)
            if target.provider.prepare:
                target.provider.prepare(model)
        except Exception as error:  # noqa: BLE001  # the model works, only not made ready
            made.telemetry.failed("begin", error)
        name = request_model(model, {}, target.provider)
        if name is not None:
            made.telemetry.series(target, name, made.settings)
        return target

    def __copy__(self) -> Mark:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Mark:
        return self


def mark_of(model: object) -> Mark | None:
    """The active mark of *model*, None when it is not instrumented."""
    mark = getattr(model, "__dict__", {}).get(MARK)
    return mark if isinstance(mark, Mark) and mark.instrumentation.active else None
