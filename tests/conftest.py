"""What every test may use: captured telemetry, and a wire server for the session."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import replymeter
from replymeter.demo.grpc_server import GrpcServer
from replymeter.demo.server import WireServer
from replymeter.testing import Captured, capture_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def captured() -> Iterator[Captured]:
    """Providers that keep what they get; no class stays wrapped after the test."""
    with capture_telemetry() as telemetry:
        yield telemetry


@pytest.fixture
def instrument(captured: Captured) -> Iterator[Callable[..., Any]]:
    """`replymeter.instrument` into `captured`, undone after the test."""
    instrumented = []

    def instrument(llm: Any, **settings: Any) -> Any:
        instrumented.append(llm)
        return replymeter.instrument(
            llm,
            tracer_provider=captured.tracer_provider,
            meter_provider=captured.meter_provider,
            **settings,
        )

    yield instrument
    for llm in instrumented:
        with suppress(TypeError):  # a test of what cannot be instrumented
            replymeter.uninstrument(llm)


@pytest.fixture(scope="session")
def wire() -> Iterator[WireServer]:
    """The loopback server that speaks the providers' wire formats."""
    with WireServer() as server:
        yield server


@pytest.fixture(scope="session")
def grpc() -> Iterator[GrpcServer]:
    """The loopback server that speaks VertexAI's gRPC."""
    with GrpcServer() as server:
        yield server
