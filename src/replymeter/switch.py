"""The current OpenTelemetry context, as quick as can be had: it is switched once a chunk."""

from __future__ import annotations

from contextvars import Token
from typing import TYPE_CHECKING, Any

from opentelemetry.context import attach, detach, get_current

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context


def _switch() -> tuple[Callable[[Context], Any], Callable[[], Context], Callable[[Any], None]]:
    """What makes a context current, says which one is, and undoes it.

    Of OpenTelemetry's variable itself, where it is a `ContextVar`.
    """
    token: Any = attach(get_current())
    detach(token)
    if isinstance(token, Token):
        return token.var.set, token.var.get, token.var.reset
    return attach, get_current, detach


enter, current, reset = _switch()


def leave(token: Any) -> None:
    """Undo `enter`, also in a foreign context.

    There a coroutine is closed that dies with its event loop, and nothing of ours is current.
    """
    try:  # noqa: SIM105  # `suppress` is slower
        reset(token)
    except ValueError:
        pass
