"""The Grafana dashboards, built from `replymeter.conventions`.

`DASHBOARDS` are data: each has its `panels`, a panel its `targets`, a target its `expr`.
"""

from typing import Final

from replymeter.dashboards.board import Dashboard
from replymeter.dashboards.finish_reasons import FINISH_REASONS
from replymeter.dashboards.latency_and_errors import LATENCY_AND_ERRORS
from replymeter.dashboards.overview import OVERVIEW
from replymeter.dashboards.safety import SAFETY
from replymeter.dashboards.tokens_and_cost import TOKENS_AND_COST

__all__ = ["DASHBOARDS", "Dashboard"]

DASHBOARDS: Final = (OVERVIEW, FINISH_REASONS, SAFETY, TOKENS_AND_COST, LATENCY_AND_ERRORS)
"""The family, in the order of its menu."""
