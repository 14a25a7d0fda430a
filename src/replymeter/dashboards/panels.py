"""Panels: what each kind of Grafana's shows, as data, and the JSON of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, TypeAlias

from replymeter.conventions import METRICS
from replymeter.dashboards.scope import DATA_SOURCE

Json: TypeAlias = dict[str, Any]

Steps: TypeAlias = tuple[tuple[float | None, str], ...]
"""From which value on which colour; None is the lowest."""

NEUTRAL: Final[Steps] = ((None, "text"),)
"""A number that is neither good nor bad by itself."""

MINIMUM_STEP: Final = "1m"
"""`$__rate_interval` is four of it: it holds four exports at OpenTelemetry's default of 60 s."""

_PARTS = "(?:_bucket|_sum|_count)?"


@dataclass(frozen=True)
class Target:
    """One query of a panel.

    `instant` queries give one value for the whole time range, at its end; the others a series.
    """

    expr: str
    legend: str = "__auto"
    instant: bool = False
    format: Literal["time_series", "table", "heatmap"] = "time_series"
    exemplar: bool = False
    step: str = MINIMUM_STEP

    def json(self, reference: str) -> Json:
        """The target, under the name *reference*."""
        return {
            "refId": reference,
            "datasource": DATA_SOURCE,
            "editorMode": "code",
            "expr": self.expr,
            "legendFormat": self.legend,
            "format": self.format,
            "instant": self.instant,
            "range": not self.instant,
            "exemplar": self.exemplar,
            **({} if self.instant else {"interval": self.step}),
        }


@dataclass(frozen=True)
class Link:
    """Where a value leads to; *url* may hold Grafana's `${...}`."""

    title: str
    url: str

    def json(self) -> Json:
        """The data link; one that leaves the dashboards opens a new tab."""
        return {"title": self.title, "url": self.url, "targetBlank": "/explore" in self.url}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What every panel has.

    `says` is its description; the names of the metrics behind it are added. `empty` stands where
    there is no value.
    """

    kind: ClassVar[str]

    title: str
    says: str
    width: int = 8
    height: int = 8
    unit: str = "short"
    decimals: int | None = None
    steps: Steps = NEUTRAL
    empty: str = "No traffic"
    links: tuple[Link, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its queries, in PromQL."""
        return ()

    @property
    def description(self) -> str:
        """What it says, with the metrics that it reads."""
        text = "\n".join(target.expr for target in self.targets)
        read = [
            metric.name
            for metric in METRICS
            if re.search(rf"\b{metric.prometheus}{_PARTS}\b", text)
        ]
        return (
            f"{self.says}\n\nMetrics: {', '.join(f'`{name}`' for name in read)}"
            if read
            else self.says
        )

    def defaults(self) -> Json:
        """How its values look."""
        decimals = {} if self.decimals is None else {"decimals": self.decimals}
        return {
            "unit": self.unit,
            "noValue": self.empty,
            "color": {"mode": "thresholds"},
            "thresholds": thresholds(self.steps),
            "links": [link.json() for link in self.links],
            **decimals,
        }

    def overrides(self) -> list[Json]:
        """What is different for some of its values."""
        return []

    def options(self) -> Json:
        """The options of its kind."""
        return {}

    def json(self) -> Json:
        """The panel, without its number and place."""
        return {
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATA_SOURCE,
            "targets": [t.json(chr(65 + i)) for i, t in enumerate(self.targets)],
            "fieldConfig": {"defaults": self.defaults(), "overrides": self.overrides()},
            "options": self.options(),
        }


def thresholds(steps: Steps) -> Json:
    """The thresholds that Grafana colours by."""
    return {
        "mode": "absolute",
        "steps": [{"color": color, "value": value} for value, color in steps],
    }


def override(name: str, **properties: Any) -> Json:
    """What is different for the field *name*; `custom__width` is `custom.width`."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


@dataclass(frozen=True, kw_only=True)
class Stat(Panel):
    """One number over the whole time range."""

    kind = "stat"
    width: int = 4
    height: int = 4
    expr: str
    legend: str = "__auto"

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its query."""
        return (Target(self.expr, self.legend, instant=True),)

    def options(self) -> Json:
        """Coloured where thresholds judge it; a name beside each where there are several."""
        return {
            "colorMode": "none" if self.steps is NEUTRAL else "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value" if self.legend == "__auto" else "value_and_name",
        }


@dataclass(frozen=True, kw_only=True)
class TimeSeries(Panel):
    """Lines or a stack over time: `series` is a legend (`{{label}}`) and a query each."""

    kind = "timeseries"
    series: dict[str, str]
    stacked: bool = False
    exemplars: bool = False
    colors: dict[str, str] = field(default_factory=dict)
    maximum: float | None = None
    step: str = MINIMUM_STEP

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its queries."""
        return tuple(
            Target(expr, legend, exemplar=self.exemplars, step=self.step)
            for legend, expr in self.series.items()
        )

    def defaults(self) -> Json:
        """Colours that can be told apart, and lines where thresholds are."""
        judged = self.steps is not NEUTRAL
        return super().defaults() | {
            "min": 0,
            **({} if self.maximum is None else {"max": self.maximum}),
            "color": {"mode": "palette-classic"},
            "custom": {
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 40 if self.stacked else 5,
                "showPoints": "auto",
                "spanNulls": False,
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if judged else "off"},
            },
        }

    def overrides(self) -> list[Json]:
        """Fixed colours."""
        return [
            override(name, color={"mode": "fixed", "fixedColor": color})
            for name, color in self.colors.items()
        ]

    def options(self) -> Json:
        """A legend below, and every value in the tooltip."""
        return {
            "legend": {
                "showLegend": True,
                "displayMode": "list",
                "placement": "bottom",
                "calcs": [],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }

    def json(self) -> Json:
        """With the minimum step."""
        return super().json() | {"interval": self.step}


@dataclass(frozen=True, kw_only=True)
class Heatmap(Panel):
    """A histogram over time."""

    kind = "heatmap"
    expr: str

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its query."""
        return (Target(self.expr, "{{le}}", format="heatmap", exemplar=True),)

    def options(self) -> Json:
        """Buckets as Prometheus has them, exemplars on top."""
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {
                "mode": "scheme",
                "scheme": "Blues",
                "scale": "exponential",
                "exponent": 0.5,
                "steps": 64,
                "reverse": False,
            },
            "exemplars": {"color": "orange"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "unit": self.unit},
        }

    def json(self) -> Json:
        """With the minimum step."""
        return super().json() | {"interval": MINIMUM_STEP}
