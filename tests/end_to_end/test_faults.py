"""The rows of the fault table that are quick: `start()` loses nothing. `make faults` runs all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.faults.rows import ROWS
from tests.end_to_end.faults.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.parts import Prometheus

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]

QUICK = ("killed", "sigterm", "gunicorn-preload", "uvicorn", "uwsgi", "celery")


@pytest.fixture(scope="module")
def there(database: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The gateway before Prometheus; each row has an agent of its own."""
    with world(tmp_path_factory.mktemp("faults"), database) as running:
        yield running


@pytest.mark.parametrize("key", QUICK)
def test_nothing_is_lost(key: str, there: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every call is counted once, and its span arrives."""
    folder = tmp_path_factory.mktemp("row") / key
    (outcome,) = ROWS[key].outcomes(there, folder, ("start",)).values()

    assert outcome.made >= 100
    assert (outcome.metrics_lost, outcome.spans_lost) == (0, 0)
