"""Vertex AI's own clients on an insecure channel, for ChatVertexAI at a GrpcServer."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import grpc  # type: ignore[import-untyped]
from google.cloud.aiplatform_v1beta1.services.prediction_service import (
    PredictionServiceAsyncClient,
    PredictionServiceClient,
)
from google.cloud.aiplatform_v1beta1.services.prediction_service.transports.grpc import (
    PredictionServiceGrpcTransport,
)
from google.cloud.aiplatform_v1beta1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport,
)


class _AsyncClients:
    """Looks like the async client; makes one for each event loop, as channels belong to a loop."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._clients: WeakKeyDictionary[Any, PredictionServiceAsyncClient] = WeakKeyDictionary()

    def __getattr__(self, name: str) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            channel = grpc.aio.insecure_channel(self._target)
            transport = PredictionServiceGrpcAsyncIOTransport(channel=channel)
            self._clients[loop] = PredictionServiceAsyncClient(transport=transport)
        return getattr(self._clients[loop], name)


def clients(url: str) -> dict[str, Any]:
    """ChatVertexAI's `client` and `async_client` for a GrpcServer's url."""
    target = urlsplit(url).netloc
    transport = PredictionServiceGrpcTransport(channel=grpc.insecure_channel(target))
    return {
        "client": PredictionServiceClient(transport=transport),
        "async_client": _AsyncClients(target),
    }
