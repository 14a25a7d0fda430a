"""Several worker processes under gunicorn: `gunicorn --workers 2 --preload examples.workers:app`.

The model is instrumented once, before the fork. Each worker counts from 0 under an instance id of
its own, so the sum over the workers is the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openai import ChatOpenAI

import replymeter

if TYPE_CHECKING:
    from collections.abc import Callable

replymeter.start()
llm = replymeter.instrument(ChatOpenAI(model="gpt-5-mini"))


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer every request with one call."""
    reply = llm.invoke("Tell me a story.")
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [reply.text.encode()]
