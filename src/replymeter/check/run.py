"""The steps of `replymeter check`, one line each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from replymeter import otlp
from replymeter.check import models, verdicts
from replymeter.check.diagnosis import Finding, diagnose
from replymeter.check.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_LONG = 1000.0  # seconds: nobody waits so long, but many write milliseconds


def run(model: str | None) -> int:
    """Take every step, print what is found; 1 when there is a problem, else 0."""
    found = []
    for step, finding in _steps(model):
        print(f"{finding.verdict.level:<8} {step:<8} {finding.says()}", flush=True)
        if finding.remedy():
            print(f"{'':<8} {'':<8} -> {finding.remedy()}", flush=True)
        found.append(finding.verdict.level)
    counts = {level: found.count(level) for level in (verdicts.PROBLEM, verdicts.WARNING)}
    said = (f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items())
    print(f"\n{', '.join(said)}.")
    return min(counts[verdicts.PROBLEM], 1)


def _steps(model: str | None) -> Iterator[tuple[str, Finding]]:
    if otlp.disabled():
        yield "settings", Finding(verdicts.DISABLED)
    else:
        for signal in otlp.SIGNALS:
            for finding in _sent(signal):
                yield signal.lower(), finding
    if model is not None:
        for finding in models.findings(model):
            yield "model", finding


def _sent(signal: str) -> Iterator[Finding]:
    """What the variables say of *signal*, and what became of one piece of it."""
    try:
        protocol = otlp.protocol(signal)
    except ValueError as error:
        yield Finding(verdicts.BAD_SETTING, {"text": str(error)})
        return
    if protocol is None:
        yield Finding(verdicts.SWITCHED_OFF, {"variable": f"OTEL_{signal}_EXPORTER"})
        return
    yield from _settings(signal)
    try:
        sender = Sender(signal, protocol)
        target = sender.target()
    except Exception as error:  # noqa: BLE001  # whatever an exporter says of a setting
        yield Finding(verdicts.BAD_SETTING, {"text": f"{type(error).__name__}: {error}"})
        return
    yield diagnose(target, sender.send(), sender.seconds)


def _settings(signal: str) -> Iterator[Finding]:
    preference = os.environ.get(_TEMPORALITY, "").strip().upper()
    if signal == otlp.METRICS and preference in ("DELTA", "LOWMEMORY"):
        values = {"variable": _TEMPORALITY, "value": preference.lower()}
        yield Finding(verdicts.DELTA, values)
    timeout = otlp.setting(signal, "TIMEOUT")
    if timeout and timeout[1].isdigit() and float(timeout[1]) >= _LONG:
        yield Finding(verdicts.LONG_TIMEOUT, {"variable": timeout[0], "value": timeout[1]})
