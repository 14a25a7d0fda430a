"""The providers that `start` sets up. Imported by `start` only: needs the SDK.

After a fork the child must not share the parent's connection, and must not send the parent's
counts again under an instance id of its own.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from replymeter.leaving import Leaving, Patience, Signal, after_uwsgi_forks
from replymeter.telemetry import zero_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

CAN_SWAP = hasattr(MeterProvider, "remove_metric_reader")
"""Whether the SDK lets a forked child begin at 0: from 1.43 on."""


class Spans(SpanExporter):
    """Sends spans through what *make* makes, in a forked child through another one."""

    def __init__(self, make: Callable[[], SpanExporter]) -> None:
        self.failed = 0
        self._make = make
        self._inner, self._pid = make(), os.getpid()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send *spans*; counts the exports that failed."""
        if self._pid != os.getpid():
            self._inner, self._pid = self._make(), os.getpid()
        result = None
        try:
            result = self._inner.export(spans)
        finally:  # older exporters raise
            self.failed += result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        """Stop; the parent's exporter is not this child's to stop."""
        if self._pid == os.getpid():
            self._inner.shutdown()


class Metrics(MetricExporter):
    """Sends metrics through *inner*, and counts the exports that failed."""

    def __init__(self, inner: MetricExporter) -> None:
        super().__init__(inner._preferred_temporality, inner._preferred_aggregation)  # noqa: SLF001
        self.failed = 0
        self._inner, self._pid = inner, os.getpid()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Send *metrics_data*."""
        result = None
        try:
            result = self._inner.export(metrics_data, timeout_millis, **kwargs)
        finally:  # older exporters raise
            self.failed += result is not MetricExportResult.SUCCESS
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop; the parent's exporter is not this child's to stop."""
        if self._pid == os.getpid():
            self._inner.shutdown(timeout_millis, **kwargs)


class Reader(PeriodicExportingMetricReader):
    """The SDK's reader, which a forked child leaves asleep where it can have a new one."""

    def _at_fork_reinit(self) -> None:
        if not CAN_SWAP:
            super()._at_fork_reinit()  # type: ignore[no-untyped-call]


def tracer_provider(
    make: Callable[[], SpanExporter], patience: Patience, resource: Resource, queue: int | None
) -> tuple[TracerProvider, Signal]:
    """A provider that sends spans through what *make* makes, and its way out."""
    exporter = Spans(make)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, queue))
    flush, stop = provider.force_flush, provider.shutdown
    return provider, Signal(flush, stop, lambda: exporter.failed, patience)


class Meters:
    """A meter provider that sends through what *make* makes, every *interval* milliseconds."""

    def __init__(
        self,
        make: Callable[[], MetricExporter],
        patience: Patience,
        resource: Resource,
        interval: float | None,
    ) -> None:
        self._make, self._interval = make, interval
        self._readers = [self._reader()]  # the provider keeps this list: a child changes it
        self.provider = MeterProvider(self._readers, resource=resource, shutdown_on_exit=False)
        flush, stop = self.provider.force_flush, self.provider.shutdown
        self.signal = Signal(flush, stop, lambda: self._exporter.failed, patience)

    def _reader(self) -> Reader:
        self._exporter = Metrics(self._make())
        return Reader(self._exporter, export_interval_millis=self._interval)

    def begin_at_zero(self) -> None:
        """In a forked child: leave the parent's counts to the parent."""
        if CAN_SWAP:
            (old,) = self._readers
            self._readers[:] = [self._reader()]
            self.provider.add_metric_reader(self._readers[0])
            old._daemon_thread = None  # noqa: SLF001  # the parent's: not there to be waited for
            self.provider.remove_metric_reader(old)
            zero_after_fork()


class Fork:
    """Carries the providers across `fork`."""

    def __init__(self, tracer: TracerProvider | None, meters: Meters | None, end: Leaving) -> None:
        self._providers = [tracer, meters and meters.provider]
        self._meters, self._leaving, self._pid = meters, end, os.getpid()
        consumer: Any = getattr(meters and meters.provider, "_measurement_consumer", None)
        self._consumer: Any = consumer if hasattr(consumer, "_lock") else None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=end.hold, after_in_parent=end.release, after_in_child=self._in_child
            )
        after_uwsgi_forks(self._forked_by_uwsgi)

    def _forked_by_uwsgi(self) -> None:
        if self._pid != os.getpid():  # else Python's hooks were called: --py-call-osafterfork
            _revive(self._providers[0])
            self._in_child()

    def _in_child(self) -> None:
        self._pid = os.getpid()
        if self._consumer:  # A collection that another thread was in never ends here.
            self._consumer._lock = threading.Lock()  # noqa: SLF001
        try:
            if not self._leaving.left:
                self._go_on()
        finally:
            self._leaving.release()

    def _go_on(self) -> None:
        # The SDK, from 1.43 on, has given each provider an instance id of its own.
        resource = Resource({"service.instance.id": str(uuid4())})
        for provider in self._providers:
            with suppress(AttributeError):
                provider._update_resource(resource)  # type: ignore[union-attr]  # noqa: SLF001
        self._leaving.forked()
        if self._meters:
            self._meters.begin_at_zero()


def _revive(tracer: Any) -> None:
    """Give the spans' sender its thread again, as the SDK does at a forked child's first span."""
    with suppress(AttributeError):
        for processor in tracer._active_span_processor._span_processors:  # noqa: SLF001
            batch = processor._batch_processor  # noqa: SLF001
            batch._bsp_reset_once.do_once(batch._at_fork_reinit)  # noqa: SLF001
