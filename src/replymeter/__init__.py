"""OpenTelemetry for LangChain chat models: every reply's metadata, exactly as reported."""

from replymeter.instrument import instrument, uninstrument
from replymeter.start import start

__all__ = ["instrument", "start", "uninstrument"]
