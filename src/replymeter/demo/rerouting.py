"""HTTP clients for SDKs that keep a provider's host name but talk to another address."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def sync_client(base: str, target: str, *, sdk: str = "openai") -> Any:
    """An HTTP client of *sdk*'s library whose requests under `base` go to `target`."""
    return _library(sdk).Client(event_hooks={"request": [_mover(base, target)]})


def async_client(base: str, target: str, *, sdk: str = "openai") -> Any:
    """The same for asynchronous calls."""
    move = _mover(base, target)

    async def moved(request: Any) -> None:
        move(request)

    return _library(sdk).AsyncClient(event_hooks={"request": [moved]})


def _library(sdk: str) -> Any:
    """The SDK of OpenAI says by its own client's base whether it is on httpx or on httpx2."""
    own = getattr(import_module(sdk), "DefaultHttpxClient", None)
    return import_module(own.__base__.__module__.partition(".")[0] if own else "httpx")


def _mover(base: str, target: str) -> Callable[[Any], None]:
    def move(request: Any) -> None:
        request.url = type(request.url)(str(request.url).replace(base, target, 1))

    return move
