"""How each server of the fault table is started, driven, and told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

from tests.end_to_end.faults.broker import TASK, broker
from tests.end_to_end.parts import answers, eventually, free_ports, get

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from tests.end_to_end.faults.rows import App

    Drive: TypeAlias = Callable[[App], None]
    Server: TypeAlias = Callable[[Path], tuple[list[str], Drive]]

BIN = Path(sys.executable).parent
MODULE = "tests.end_to_end.faults.servers"
REQUESTS, CLIENTS = 200, 4


def over_http(command: Callable[[str], list[str]]) -> Server:
    """A server that *command* starts at an address, driven by requests."""

    def server(_: Path) -> tuple[list[str], Drive]:
        address = f"127.0.0.1:{free_ports(1)[0]}"

        def drive(app: App) -> None:
            url = f"http://{address}/"
            eventually(answers(url), 150)
            clients = [threading.Thread(target=ask, args=(url,)) for _ in range(CLIENTS)]
            for one in clients:
                one.start()
            at_least(app, REQUESTS)
            app.tell(signal.SIGTERM)  # the clients go on asking
            for one in clients:
                one.join()

        return command(address), drive

    return server


def ask(url: str) -> None:
    """Ask again and again, until the server is gone."""
    with suppress(URLError, OSError):
        while True:
            get(url)


def at_least(app: App, calls: int) -> None:
    """Wait for that many calls."""
    eventually(lambda: app.notes.read_text().count("\n") >= calls, 150)
    assert app.notes.read_text().count("\n") >= calls, app.log.read_text(errors="replace")[-4000:]


def gunicorn(*more: str) -> Server:
    """Three synchronous workers."""
    fixed = [str(BIN / "gunicorn"), "--workers", "3", *more]
    return over_http(lambda address: [*fixed, "--bind", address, f"{MODULE}:wsgi"])


def uvicorn(*more: str) -> Server:
    """One process, unless told otherwise."""

    def command(address: str) -> list[str]:
        host, port = address.split(":")
        where = ["--host", host, "--port", port]
        return [str(BIN / "uvicorn"), *where, *more, f"{MODULE}:asgi"]

    return over_http(command)


GRACEFUL = "hook-master-start=unix_signal:15 gracefully_kill_them_all"


def uwsgi(*more: str, stop: str = GRACEFUL) -> Server:
    """Three processes under a master, which lets them finish: its SIGTERM alone does not."""
    fixed = [str(BIN / "uwsgi"), "--master", "--processes", "3", f"--{stop}", *more]
    return over_http(
        lambda address: [*fixed, "--http-socket", address, "--module", f"{MODULE}:wsgi"]
    )


def celery() -> Server:
    """A worker with two processes; a folder is the broker."""

    def server(folder: Path) -> tuple[list[str], Drive]:
        def drive(app: App) -> None:
            sender = broker(folder)
            for _ in range(REQUESTS):
                sender.send_task(TASK)
            at_least(app, REQUESTS // 2)
            app.tell(signal.SIGTERM)

        worker = ["worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"]
        return [str(BIN / "celery"), "--app", f"{MODULE}:celery", *worker], drive

    return server
