"""OTLP set-up for people who have none: `start()`. The SDK is imported when it is called."""

from __future__ import annotations


def start() -> None:
    """TODO."""
