"""HTTP clients for the openai SDK that keep a provider's host name but talk to another address."""

from __future__ import annotations

import httpx2


class _Sync(httpx2.HTTPTransport):
    def __init__(self, base: str, target: str) -> None:
        super().__init__()
        self._base, self._target = base, target

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = _moved(request.url, self._base, self._target)
        return super().handle_request(request)


class _Async(httpx2.AsyncHTTPTransport):
    def __init__(self, base: str, target: str) -> None:
        super().__init__()
        self._base, self._target = base, target

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = _moved(request.url, self._base, self._target)
        return await super().handle_async_request(request)


def sync_client(base: str, target: str) -> httpx2.Client:
    """A client whose requests under `base` go to `target`."""
    return httpx2.Client(transport=_Sync(base, target))


def async_client(base: str, target: str) -> httpx2.AsyncClient:
    """The same for asynchronous calls."""
    return httpx2.AsyncClient(transport=_Async(base, target))


def _moved(url: httpx2.URL, base: str, target: str) -> httpx2.URL:
    return httpx2.URL(str(url).replace(base, target, 1))
