"""Keeps what the providers' SDKs log and warn of away from the demo's view."""

from __future__ import annotations

import gc
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replymeter.log import SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == SCOPE and record.getMessage() not in self.lines:
            self.lines.append(record.getMessage())


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Swallow logs and warnings; the list gets what Replymeter itself logs, each line once."""
    root, kept = logging.getLogger(), _Kept()
    before = root.handlers[:]
    root.handlers = [kept]
    logging.captureWarnings(capture=True)
    try:
        yield kept.lines
    finally:
        gc.collect()  # what an SDK says of coroutines that it forgot
        logging.captureWarnings(capture=False)
        root.handlers = before
