"""What every test may use: captured telemetry, and a wire server for the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import replymeter
from replymeter import unknown, wrap
from replymeter.demo.models import installed
from replymeter.demo.server import WireServer
from replymeter.testing import Captured, capture_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.demo.grpc_server import GrpcServer


@pytest.fixture(autouse=True)
def bare_classes() -> Iterator[None]:
    """No class is wrapped before a test nor after it, whatever other tests left."""
    unwrap_everything()
    yield
    unwrap_everything()


def unwrap_everything() -> None:
    """Undo every `instrument`."""
    for model_class in tuple(wrap._WRAPPED):
        replymeter.uninstrument(model_class)


@pytest.fixture(autouse=True)
def fakes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is told that nobody has rows for the classes of `tests.fakes`."""
    monkeypatch.setattr(unknown, "_ASKED", {"class fake"})


@pytest.fixture
def captured() -> Iterator[Captured]:
    """Providers that keep what they get."""
    with capture_telemetry() as telemetry:
        yield telemetry


@pytest.fixture
def instrument(captured: Captured) -> Callable[..., Any]:
    """`replymeter.instrument` into `captured`."""

    def instrument(llm: Any, **settings: Any) -> Any:
        return replymeter.instrument(
            llm,
            tracer_provider=captured.tracer_provider,
            meter_provider=captured.meter_provider,
            **settings,
        )

    return instrument


@pytest.fixture(scope="session")
def wire() -> Iterator[WireServer]:
    """The loopback server that speaks the providers' wire formats."""
    with WireServer() as server:
        yield server


@pytest.fixture(scope="session")
def grpc() -> Iterator[GrpcServer | None]:
    """The loopback server that speaks VertexAI's gRPC; None without Google's packages."""
    if not installed("vertexai"):
        yield None
        return
    from replymeter.demo.grpc_server import GrpcServer

    with GrpcServer() as server:
        yield server
