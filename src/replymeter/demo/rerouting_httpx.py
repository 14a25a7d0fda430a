"""`rerouting`, for the SDKs that use httpx and not httpx2."""

from __future__ import annotations

import httpx


class _Sync(httpx.HTTPTransport):
    def __init__(self, base: str, target: str) -> None:
        super().__init__()
        self._base, self._target = base, target

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = _moved(request.url, self._base, self._target)
        return super().handle_request(request)


class _Async(httpx.AsyncHTTPTransport):
    def __init__(self, base: str, target: str) -> None:
        super().__init__()
        self._base, self._target = base, target

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = _moved(request.url, self._base, self._target)
        return await super().handle_async_request(request)


def sync_client(base: str, target: str) -> httpx.Client:
    """A client whose requests under `base` go to `target`."""
    return httpx.Client(transport=_Sync(base, target))


def async_client(base: str, target: str) -> httpx.AsyncClient:
    """The same for asynchronous calls."""
    return httpx.AsyncClient(transport=_Async(base, target))


def _moved(url: httpx.URL, base: str, target: str) -> httpx.URL:
    return httpx.URL(str(url).replace(base, target, 1))
