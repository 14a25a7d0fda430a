"""Celery with a folder for its broker: whoever sends tasks needs no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import Celery  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path

TASK = "ask"


def broker(folder: Path) -> Celery:
    """Celery with a folder for its broker."""
    folders = {f"data_folder_{way}": str(folder) for way in ("in", "out")}
    app = Celery("faults", broker="filesystem://")
    app.conf.update(
        broker_transport_options={**folders, "control_folder": str(folder / "control")},
        worker_hijack_root_logger=False,
        task_ignore_result=True,
    )
    return app
