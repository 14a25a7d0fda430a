"""Comparable projects: what each needs, how each is switched on, in environments of their own.

`make bench PEERS=1` installs each into `.venv-peers/NAME`. What cannot be installed, or does not
run, is skipped with the reason. Nothing is sent: exporters discard, and a proxy that nobody serves
stands for the network.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import metrics, trace

from bench.layers import Discard, layer
from bench.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    from bench.layers import Layer

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / ".venv-peers"
NOWHERE = "http://127.0.0.1:9"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
ISOLATED = {
    **dict.fromkeys((*_PROXIES, *map(str.upper, _PROXIES)), NOWHERE),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
}
SECONDS = 600.0


class Peer(NamedTuple):
    """A project: what is installed and imported, and how it is attached to a model.

    `attach` gets the providers and gives a layer; it runs in the project's environment.
    """

    requires: tuple[str, ...]
    module: str
    attach: Callable[[TracerProvider, MeterProvider], Layer]
    environment: Mapping[str, str] = {}


def _named(where: str) -> Any:
    module, _, name = where.rpartition(".")
    return getattr(import_module(module), name)


def _switched(
    on: Callable[[], object], off: Callable[[], object], model: Model | None = None
) -> Layer:
    """A layer that is switched on for a task and off again: the others' calls are left alone."""
    used = model or Model()

    @contextmanager
    def switched() -> Iterator[Model]:
        on()
        try:
            yield used
        finally:
            off()

    return switched


def _patched(patch: Callable[[], object]) -> Layer:
    """A layer of a project that cannot be switched off: what it patched is put back by hand."""
    manager = _named("langchain_core.callbacks.BaseCallbackManager")
    bare = manager.__init__
    patch()
    patched = manager.__init__
    manager.__init__ = bare
    return _switched(
        lambda: setattr(manager, "__init__", patched), lambda: setattr(manager, "__init__", bare)
    )


def _instrumentor(requires: tuple[str, ...], module: str, name: str) -> Peer:
    """A project whose API is OpenTelemetry's `BaseInstrumentor`."""

    def attach(tracers: TracerProvider, meters: MeterProvider) -> Layer:
        one = _named(f"{module}.{name}")()
        return _switched(
            lambda: one.instrument(tracer_provider=tracers, meter_provider=meters),
            one.uninstrument,
        )

    return Peer(requires, module, attach)


def _langfuse(tracers: TracerProvider, meters: MeterProvider) -> Layer:
    keys = dict.fromkeys(("public_key", "secret_key"), "none")
    _named("langfuse.Langfuse")(
        **keys, base_url=NOWHERE, span_exporter=Discard(),
        tracer_provider=type(tracers)(shutdown_on_exit=False),  # It exports by itself.
    )  # fmt: skip
    return layer(Model(callbacks=[_named("langfuse.langchain.CallbackHandler")()]))


def _agento11y(tracers: TracerProvider, meters: MeterProvider) -> Layer:
    export = _named("agento11y.GenerationExportConfig")(protocol="none")
    config = _named("agento11y.ClientConfig")(
        generation_export=export, tracer_provider=tracers, meter_provider=meters
    )
    make = _named("agento11y_langchain.create_agento11y_langchain_handler")
    return layer(Model(callbacks=[make(client=_named("agento11y.Client")(config))]))


def _langsmith(tracers: TracerProvider, meters: MeterProvider) -> Layer:
    client = _named("langsmith.Client")(
        api_url=NOWHERE, api_key="none", tracing_mode="otel", otel_tracer_provider=tracers
    )
    tracer = _named("langchain_core.tracers.LangChainTracer")(client=client)
    return layer(Model(callbacks=[tracer]))


def _mlflow(tracers: TracerProvider, meters: MeterProvider) -> Layer:
    trace.set_tracer_provider(tracers)
    autolog = _named("mlflow.langchain.autolog")
    return _switched(partial(autolog, silent=True), partial(autolog, disable=True, silent=True))


def _openlit(tracers: TracerProvider, meters: MeterProvider) -> Layer:
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)

    def init() -> None:
        with TemporaryDirectory() as folder:
            prices = Path(folder) / "prices.json"
            prices.write_text('{"chat": {}}', encoding="utf-8")
            _named("openlit.init")(pricing_json=str(prices))

    return _patched(init)


def _openllmetry(tracers: TracerProvider, meters: MeterProvider) -> Layer:
    one = _named("opentelemetry.instrumentation.langchain.LangchainInstrumentor")()
    return _patched(lambda: one.instrument(tracer_provider=tracers, meter_provider=meters))


PEERS: Mapping[str, Peer] = {
    "opentelemetry-instrumentation-genai-langchain": _instrumentor(
        # Without `langchain` it says that it only instruments that, and does nothing.
        ("opentelemetry-instrumentation-genai-langchain==1.3b0", "langchain==1.4.7"),
        "opentelemetry.instrumentation.genai.langchain",
        "LangChainInstrumentor",
    ),
    "opentelemetry-instrumentation-langchain": Peer(
        ("opentelemetry-instrumentation-langchain==0.62.4",),
        "opentelemetry.instrumentation.langchain",
        _openllmetry,
    ),
    "openinference-instrumentation-langchain": _instrumentor(
        ("openinference-instrumentation-langchain==0.1.80",),
        "openinference.instrumentation.langchain",
        "LangChainInstrumentor",
    ),
    "llm-tracekit-langchain": _instrumentor(
        # With a newer wrapt `instrument` raises a TypeError.
        ("llm-tracekit-langchain==1.4.0", "wrapt<2"),
        "llm_tracekit.langchain",
        "LangChainInstrumentor",
    ),
    # It imports `langchain`, and does not require it.
    "langfuse": Peer(("langfuse==5.0.4", "langchain==1.4.7"), "langfuse.langchain", _langfuse),
    "agento11y-langchain": Peer(
        ("agento11y-langchain==0.21.0",), "agento11y_langchain", _agento11y
    ),
    "langsmith[otel]": Peer(("langsmith[otel]==0.15.0",), "langsmith", _langsmith),
    "mlflow-tracing": Peer(
        # Without an exporter package it loses every span.
        ("mlflow-tracing==3.17.2", "opentelemetry-exporter-otlp-proto-http"),
        "mlflow.langchain",
        _mlflow,
        # It exports by itself as well, and does nothing where it cannot.
        {
            "MLFLOW_USE_DEFAULT_TRACER_PROVIDER": "false",
            "MLFLOW_ENABLE_OTEL_GENAI_SEMCONV": "true",
            "MLFLOW_EXPERIMENT_ID": "0",
            "MLFLOW_TRACKING_URI": NOWHERE,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": NOWHERE,
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        },
    ),
    "openlit": Peer(("openlit==1.45.0",), "openlit", _openlit),
}
"""Each project by the name of its distribution."""


def installed(name: str) -> Path:
    """The interpreter of the environment of *name*, made and filled where it is not yet.

    Raises:
        subprocess.CalledProcessError: It could not be installed.
        subprocess.TimeoutExpired: The same.
    """
    folder = ENVIRONMENTS / name.partition("[")[0]
    python, stamp = folder / "bin" / "python", folder / ".installed"
    core = f"langchain-core=={version('langchain-core')}"
    wanted = "\n".join((platform.python_version(), core, *PEERS[name].requires))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    uv = str(Path(sys.executable).with_name("uv"))
    _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _run(uv, "pip", "install", "--quiet", "--python", str(python), core, "opentelemetry-sdk",
         *PEERS[name].requires)  # fmt: skip
    stamp.write_text(wanted, encoding="utf-8")
    return python


def measure(name: str, rounds: int) -> dict[str, Any] | str:
    """What `bench.peer` says of *name*, or why there is nothing."""
    try:
        python = installed(name)
        said: dict[str, Any] = {}
        for what in ("retained", "times"):
            command = (str(python), "-m", "bench.peer", name, what, str(rounds))
            said |= json.loads(_run(*command, **PEERS[name].environment).splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        return f"it took more than {error.timeout:.0f} s"
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines()
        return lines[-1] if lines else f"it ended with {error.returncode}"
    except OSError as error:
        return str(error)
    return said


def _run(*command: str, **environment: str) -> str:
    """What a *command* prints; one that is given an environment gets no network."""
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    isolated = {**ISOLATED, "PYTHONPATH": path, **environment} if "-m" in command else {}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=SECONDS,
        env={**os.environ, **isolated}, cwd=ROOT,
    )  # fmt: skip
    return done.stdout
