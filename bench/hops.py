"""How often a chunk of `astream` is handed to another thread, as sync callbacks have it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from bench.tasks import drain

if TYPE_CHECKING:
    from bench.layers import Layer


def per_chunk(layer: Layer) -> float:
    """Submissions to a thread pool for each chunk of `astream`; below one a call, 0.00."""
    with layer() as model:
        few, many = (_submitted(model.model_copy(update={"chunks": n})) for n in (10, 110))
    return (many - few) / 100


def _submitted(model: Any) -> float:
    submit = ThreadPoolExecutor.submit
    submitted = 0

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal submitted
        submitted += 1
        return submit(self, *args, **kwargs)

    with patch.object(ThreadPoolExecutor, "submit", counted):
        asyncio.run(drain(model))
    return submitted
