"""Panels that are read by the line: tables, spans, alerts, text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from replymeter import conventions as names
from replymeter.dashboards.panels import (
    NEUTRAL,
    Json,
    Link,
    Panel,
    Steps,
    Target,
    override,
    thresholds,
)
from replymeter.dashboards.promql import label
from replymeter.dashboards.scope import TRACES

TITLES: Final = {
    names.PROVIDER_NAME: "Provider",
    names.REQUEST_MODEL: "Model",
    names.RESPONSE_MODEL: "Answered by",
    names.SERVER_ADDRESS: "Server",
    names.ERROR_TYPE: "Error",
    names.BLOCK_STAGE: "Stage",
    names.BLOCK_CATEGORY: "Category",
}
"""What a label's column is called; the links of a cell name these."""

NONE: Final = "-"
"""Stands in a cell without a value: the line has traffic, only none of this kind."""


@dataclass(frozen=True)
class Column:
    """A column of a table: one query, grouped by the table's labels."""

    title: str
    expr: str
    unit: str = "short"
    decimals: int | None = None
    steps: Steps = NEUTRAL
    link: Link | None = None

    def override(self) -> Json:
        """How its cells look, and where they lead."""
        properties: dict[str, Any] = {"unit": self.unit, "noValue": NONE, "custom__width": 110}
        if self.decimals is not None:
            properties["decimals"] = self.decimals
        if self.steps is not NEUTRAL:
            properties["thresholds"] = thresholds(self.steps)
            properties["custom__cellOptions"] = {"type": "color-text"}
        if self.link:
            properties["links"] = [self.link.json()]
        return override(self.title, **properties)


@dataclass(frozen=True, kw_only=True)
class Table(Panel):
    """A line for each value of the labels `by`, a column for each query; most of `first` on top."""

    kind = "table"
    width: int = 24
    by: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """A query for each column."""
        return tuple(Target(one.expr, instant=True, format="table") for one in self.columns)

    def overrides(self) -> list[Json]:
        """The columns."""
        labels = [override(TITLES[name], noValue=NONE) for name in self.by]
        return [*labels, *(column.override() for column in self.columns)]

    def defaults(self) -> Json:
        """Cells as wide as they need."""
        return super().defaults() | {
            "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
        }

    def options(self) -> Json:
        """Sorted by the first query."""
        return {
            "cellHeight": "sm",
            "showHeader": True,
            "sortBy": [{"displayName": self.columns[0].title, "desc": True}],
        }

    def json(self) -> Json:
        """With the queries joined on the labels."""
        titles = {label(name): TITLES[name] for name in self.by}
        one = len(self.columns) == 1
        for number, column in enumerate(self.columns):
            titles["Value" if one else f"Value #{chr(65 + number)}"] = column.title
        organize = {
            "excludeByName": {"Time": True},
            "indexByName": {name: number for number, name in enumerate(titles)},
            "renameByName": titles,
        }
        return super().json() | {
            "transformations": [
                {"id": "merge", "options": {}},
                {"id": "organize", "options": organize},
            ]
        }


@dataclass(frozen=True, kw_only=True)
class Spans(Panel):
    """The newest spans that a TraceQL filter finds: the calls behind the numbers."""

    kind = "table"
    width: int = 24
    empty: str = "No such call, or no Tempo data source"
    where: str

    @property
    def traceql(self) -> str:
        """The query."""
        return f"{{ {self.where} }} | select({', '.join(f'span.{name}' for name in _SHOWN)})"

    def options(self) -> Json:
        """As Tempo gives them, newest first."""
        return {"cellHeight": "sm", "showHeader": True}

    def json(self) -> Json:
        """With a TraceQL query."""
        query = {
            "refId": "A",
            "datasource": TRACES,
            "queryType": "traceql",
            "query": self.traceql,
            "limit": 50,
            "tableType": "spans",
        }
        return super().json() | {"datasource": TRACES, "targets": [query]}


_SHOWN: Final = (
    names.PROVIDER_NAME,
    names.REQUEST_MODEL,
    names.FINISH_REASONS,
    names.ERROR_TYPE,
    names.USAGE_OUTPUT_TOKENS,
)


@dataclass(frozen=True, kw_only=True)
class Alerts(Panel):
    """Replymeter's alerts that fire or are about to."""

    kind = "alertlist"
    empty: str = "None"

    def options(self) -> Json:
        """By the beginning of their names."""
        return {
            "viewMode": "list",
            "groupMode": "default",
            "groupBy": [],
            "maxItems": 20,
            "sortOrder": 3,
            "dashboardAlerts": False,
            "alertName": "Replymeter",
            "alertInstanceLabelFilter": "",
            "stateFilter": {
                "firing": True,
                "pending": True,
                "noData": False,
                "normal": False,
                "error": True,
            },
        }


@dataclass(frozen=True, kw_only=True)
class Text(Panel):
    """Words, in Markdown."""

    kind = "text"
    markdown: str

    def json(self) -> Json:
        """Without queries."""
        whole = super().json()
        del whole["targets"], whole["fieldConfig"], whole["datasource"]
        return whole | {"options": {"mode": "markdown", "content": self.markdown}}
