"""The same app under gunicorn, uvicorn, uwsgi and Celery: one call for each request, or task.

Two lines of it are Replymeter's, and none is a hook of a server. The environment says which
set-up (FAULTS_SETUP), where spans are noted (FAULTS_NOTES), how many calls are made while the
module loads (FAULTS_BEFORE), and where Celery's broker has its folder (FAULTS_BROKER).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from tests.end_to_end.faults.broker import TASK, broker
from tests.end_to_end.faults.setups import set_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

celery = broker(Path(os.environ["FAULTS_BROKER"]))
llm = set_up(os.environ["FAULTS_SETUP"], os.environ["FAULTS_NOTES"], seconds=0.02)
for _ in range(int(os.environ["FAULTS_BEFORE"])):
    llm.invoke("hello")


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """For gunicorn and uwsgi."""
    text = llm.invoke("hello").text.encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


asgi = FastAPI()


@asgi.get("/")
async def answer() -> str:
    """For uvicorn."""
    return str((await llm.ainvoke("hello")).text)


@celery.task(name=TASK)  # type: ignore[untyped-decorator]
def ask() -> None:
    """For Celery."""
    llm.invoke("hello")
