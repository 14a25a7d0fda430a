from __future__ import annotations

import json
import re
import sys
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import promql_parser
import pytest
import yaml

from replymeter import conventions as names
from replymeter.dashboards import DASHBOARDS, Dashboard, parts, tables
from replymeter.dashboards.board import Row
from replymeter.dashboards.files import files
from replymeter.dashboards.panels import Panel, Stat, TimeSeries
from replymeter.dashboards.promql import label
from tests import dashboards_lint as lint
from tests.dashboards_lint import QUERIES, Query

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

FIXED_WINDOWS = {
    "Month at this rate": "It is about the last day, whatever the dashboard shows.",
    "Truncation budget burn": "It compares an hour, six hours and three days.",
}
NO_RATE = {
    "Cardinality overflow": "It counts series of every metric, which have lost their labels.",
}
WAIVED = {
    (metric.name, names.TOKEN_MODALITY): "Its whole is shown by modality."
    for metric in (names.CACHE_READ_TOKENS, names.CACHE_WRITE_TOKENS, names.REASONING_TOKENS)
}
"""Labels of a metric that no panel shows, and why."""


def flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every panel, those in collapsed rows too."""
    for panel in panels:
        yield panel
        yield from flat(panel.get("panels", []))


def walk(data: Any) -> Iterator[dict[str, Any]]:
    """Every object in JSON."""
    if isinstance(data, dict):
        yield data
    for value in (
        data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    ):
        yield from walk(value)


each_board = pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.slug)
each_query = pytest.mark.parametrize("query", QUERIES, ids=str)


class TestFiles:
    def test_the_committed_files_are_fresh(self) -> None:
        """`make dashboards` would change nothing."""
        stale = [
            path
            for path, text in files().items()
            if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text
        ]

        assert stale == []

    def test_no_dashboard_is_left_over(self) -> None:
        """A file of a dashboard that is no more would still be provisioned."""
        committed = {path.name for path in (ROOT / "dashboards/grafana").glob("*.json")}

        assert committed == {f"{board.slug}.json" for board in DASHBOARDS}

    @each_board
    def test_a_config_map_holds_the_dashboard(self, board: Dashboard) -> None:
        """The sidecar of Grafana's chart finds the same JSON, and the object is not too big."""
        text = files()[f"dashboards/kubernetes/{board.uid}.yaml"]
        found = yaml.safe_load(text)

        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert json.loads(found["data"][f"{board.uid}.json"]) == board.json()
        assert len(text) < 256 * 1024  # What `kubectl apply` can keep in an annotation.

    def test_provisioning_files_say_what_grafana_reads(self) -> None:
        """The provider's folder, and trace ids of exemplars that lead to Tempo."""
        provisioning = "dashboards/grafana/provisioning"
        boards = yaml.safe_load(files()[f"{provisioning}/dashboards/replymeter.yaml"])
        sources = yaml.safe_load(files()[f"{provisioning}/datasources/replymeter.yaml"])
        prometheus, tempo = sources["datasources"]

        assert boards["providers"][0]["type"] == "file"
        assert prometheus["jsonData"]["exemplarTraceIdDestinations"] == [
            {"name": "trace_id", "datasourceUid": tempo["uid"]}
        ]


class TestQueries:
    @each_query
    def test_a_query_is_sound(self, query: Query) -> None:
        """It parses, and keeps the rules of tests/dashboards_lint.py."""
        title = query.panel.title
        window = "$__range" if query.target.instant else "$__rate_interval"
        found = lint.problems(query.target.expr, None if title in FIXED_WINDOWS else window)

        if title in NO_RATE:
            assert found == [
                "gen_ai_provider_name is not $provider",
                "gen_ai_request_model is not $model",
            ]
        else:
            assert found == []

    @pytest.mark.parametrize(
        ("expr", "problem"),
        [
            ("sum(rate(nothing_total{S}[$__range]))", "no metric has the series nothing_total"),
            ("sum(F{S})", "is a counter, and needs a rate"),
            ("sum(max_over_time(F{S}[$__range]))", "is a counter, and needs a rate"),
            ("rate(F{S}[$__range])", "rate without a sum"),
            ("max(rate(F{S}[$__range]))", "rate without a sum"),
            ("sum(rate(F{S}[5m]))", "a rate over 0:05:00 instead of $__range"),
            ("sum(rate(F{S}[$__rate_interval]))", "a rate over $__rate_interval instead of"),
            ("sum(rate(F{S}[$__range])) / sum(rate(F{S}[$__range]))", "a division by what can"),
            ("sum(rate(F{S}[$__range])) / (sum(rate(F{S}[$__range])) > 1)", "a division by what"),
            ("sum(rate(F[$__range]))", "job is not $job"),
            ('sum(rate(F{S, finish_reason="length"}[$__range]))', "has no label finish_reason"),
            ("sum by (colour) (rate(F{S}[$__range]))", "has no label colour"),
            (
                "histogram_quantile(0.9, sum by (le) (rate(D_bucket{S}[$__range])))",
                "a quantile that is NaN when idle",
            ),
        ],
    )
    def test_the_rules_find_what_is_wrong(self, expr: str, problem: str) -> None:
        """Each rule, broken once."""
        scope = ", ".join(f'{name}=~"{value}"' for name, value in lint.SCOPE.items())
        whole = re.sub(r"\bF\b", names.FINISH_REASON_COUNT.prometheus, expr)
        whole = whole.replace("D_", f"{names.DURATION.prometheus}_").replace("{S", f"{{{scope}")

        assert any(problem in found for found in lint.problems(whole, "$__range"))

    @each_board
    def test_variables_and_annotations_ask_what_there_is(self, board: Dashboard) -> None:
        """`label_values` of a series and a label that exist; deployments parse."""
        for variable in board.variables:
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable.query)
            assert asked, variable.query
            (selector,) = lint.selectors(asked[1])
            assert asked[2] in lint.labels_of(lint.SERIES[selector.name or ""]) | lint.RESOURCE
        assert isinstance(lint.parsed(board.deployments), promql_parser.BinaryExpr)

    @pytest.mark.parametrize(
        "panel",
        [
            panel
            for board in DASHBOARDS
            for panel in board.panels
            if isinstance(panel, tables.Table)
        ],
        ids=lambda panel: panel.title,
    )
    def test_a_tables_columns_join(self, panel: tables.Table) -> None:
        """Every query is grouped by the table's labels, and a cell's link names its columns."""
        by = {label(name) for name in panel.by}

        for column in panel.columns:
            assert lint.grouped_by(lint.parsed(column.expr)) - {"le"} == by
            named = re.findall(r"__data\.fields\.(\w+)", column.link.url) if column.link else []
            assert set(named) <= {tables.TITLES[name] for name in panel.by}


class TestCoverage:
    @pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
    def test_every_metric_and_label_is_on_a_panel(self, metric: names.Metric) -> None:
        """A label is shown where a query groups by it or asks for one of its values."""
        shown = {
            name
            for query in QUERIES
            for node, above in lint.nodes(lint.parsed(query.target.expr))
            if isinstance(node, promql_parser.VectorSelector)
            and lint.SERIES.get(node.name or "") is metric
            for name in {
                "itself",
                *lint.grouped_by_nearest(above),
                *(name for name, _, _ in lint.matchers(node)),
            }
        }
        waived = {label(name) for where, name in WAIVED if where == metric.name}
        wanted = {"itself", *map(label, metric.labels)}

        assert wanted - shown == waived

    def test_every_common_label_is_on_a_panel(self) -> None:
        """The operation is always `chat`, and a port says nothing that its host does not."""
        shown = {
            name for query in QUERIES for name in lint.grouped_by(lint.parsed(query.target.expr))
        }
        common = {label(name) for name in (*names.COMMON_LABELS, names.RESPONSE_MODEL)}

        assert common - shown == {label(names.OPERATION_NAME), label(names.SERVER_PORT)}

    def test_every_value_that_a_query_names_exists(self) -> None:
        """A misspelt finish reason would be an empty panel."""
        closed = {
            names.FINISH_REASON: (*names.REASONS, names.MIXED),
            names.ERROR_TYPE: ("", *names.ERROR_TYPES),
            names.OUTCOME: names.OUTCOMES,
            names.BLOCK_STAGE: names.STAGES,
            names.BLOCK_CATEGORY: names.CATEGORIES,
            names.COST_REASON: names.COST_REASONS,
        }
        sets = {label(name): set(values) for name, values in closed.items()}
        named = {
            (name, word)
            for query in QUERIES
            for selector in lint.selectors(query.target.expr)
            for name, _, value in lint.matchers(selector)
            if name in sets
            for word in value.split("|")
        }

        assert {(name, word) for name, word in named if word not in sets[name]} == set()
        assert named  # Or the test sees nothing.

    def test_every_error_type_is_counted_by_one_tile(self) -> None:
        """Blocks are no errors, and the provider's own faults are only shown by type."""
        tiles = ("Rate limited", "Timed out or cut", "Keys and rights", "Requests at fault")
        counted = [
            word
            for query in QUERIES
            if query.panel.title in tiles
            for selector in lint.selectors(query.target.expr)
            for name, _, value in lint.matchers(selector)
            if name == label(names.ERROR_TYPE)
            for word in value.split("|")
        ]

        assert len(counted) == len(set(counted))
        assert set(names.ERROR_TYPES) - set(counted) == {
            "content_filter",
            "server_error",
            "_OTHER",
        }

    def test_every_finish_reason_has_a_colour_of_its_own(self) -> None:
        """On every panel the same."""
        assert set(parts.COLORS) == {*names.REASONS, names.MIXED}
        assert len(set(parts.COLORS.values())) == len(parts.COLORS)
        for query in QUERIES:
            if query.target.legend == f"{{{{{label(names.FINISH_REASON)}}}}}":
                assert isinstance(query.panel, TimeSeries)
                assert query.panel.colors is parts.COLORS

    def test_histograms_of_time_have_exemplars(self) -> None:
        """A dot for a call, on each series of a latency histogram."""
        without = {
            query.panel.title
            for query in QUERIES
            if not query.target.instant
            and not query.target.exemplar
            and any(
                lint.SERIES[selector.name].unit == "s" and selector.name.endswith("_bucket")
                for selector in lint.selectors(query.target.expr)
                if selector.name
            )
        }

        assert without == set()


class TestJson:
    @each_board
    def test_panels_are_numbered_and_do_not_overlap(self, board: Dashboard) -> None:
        """Ids from 1 on; every place within the 24 columns; no two on one place."""
        panels = list(flat(board.json()["panels"]))
        places = [panel["gridPos"] for panel in panels]

        assert sorted(panel["id"] for panel in panels) == list(range(1, len(panels) + 1))
        assert [one for one in places if one["x"] + one["w"] > 24 or one["w"] < 1] == []
        assert [pair for pair in combinations(places, 2) if _overlap(*pair)] == []

    def test_the_layout_wraps(self) -> None:
        """A panel that does not fit goes below the tallest of its line."""
        board = Dashboard(
            "wraps",
            "",
            "",
            (
                Row(
                    None, tuple(_tile(width, height) for width, height in ((16, 3), (8, 5), (1, 2)))
                ),
                Row("Next", (_tile(24, 4),), collapsed=True),
                Row("Last", (_tile(24, 4),)),
            ),
        )
        places = [panel["gridPos"] for panel in flat(board.json()["panels"])]

        assert [(one["x"], one["y"]) for one in places] == [
            *((0, 0), (16, 0), (0, 5)),
            *((0, 7), (0, 8)),
            *((0, 12), (0, 13)),
        ]

    @each_board
    def test_no_data_source_is_fixed(self, board: Dashboard) -> None:
        """A dashboard that names one is empty everywhere else."""
        uids = {one["datasource"]["uid"] for one in walk(board.json()) if "datasource" in one}

        assert uids <= {"${datasource}", "${tempo}"}
        assert board.json()["id"] is None
        assert "__inputs" not in board.json()

    @each_board
    def test_every_variable_is_declared(self, board: Dashboard) -> None:
        """And every one that is declared, but for the ad hoc filters, is used."""
        whole = board.json()
        declared = {one["name"] for one in whole["templating"]["list"]}
        text = unquote(json.dumps(whole))
        used = set(re.findall(r"\$\{?([a-z]\w*)", text))

        assert used == declared - {"filters"}
        assert all(
            one["current"] == {}
            for one in whole["templating"]["list"]
            if one["type"] == "datasource"
        )

    @each_board
    def test_every_panel_is_described(self, board: Dashboard) -> None:
        """What it says, then the metrics behind it; no title comes twice."""
        titles = [panel.title for panel in board.panels]

        assert len(titles) == len(set(titles))
        for panel in board.panels:
            assert panel.says.endswith(".")
            assert len(panel.says) > 15
            if panel.targets and panel.title not in NO_RATE:
                assert re.search(r"\n\nMetrics: `[\w.]+`(, `[\w.]+`)*$", panel.description)

    @each_board
    def test_links_lead_somewhere(self, board: Dashboard) -> None:
        """To a dashboard of the family, or to Explore with panes that it can read."""
        slugs = {one.uid for one in DASHBOARDS}
        urls = [one["url"] for one in walk(board.json()) if one.get("url")]

        assert urls
        for url in urls:
            if url.startswith("/d/"):
                assert re.match(r"/d/([\w-]+)\?", url)[1] in slugs  # type: ignore[index]
            else:
                panes = json.loads(unquote(url.split("panes=")[1]))
                (query,) = panes["a"]["queries"]
                assert query["query"].startswith("{ span.")

    def test_uids_are_stable(self) -> None:
        """Bookmarks, alerts and provisioned copies hang on them."""
        assert [board.uid for board in DASHBOARDS] == [
            "replymeter-overview",
            "replymeter-finish-reasons",
            "replymeter-safety",
            "replymeter-tokens-cost",
            "replymeter-latency-errors",
        ]
        assert all(len(board.uid) <= 40 for board in DASHBOARDS)

    def test_the_first_screen_of_the_overview(self) -> None:
        """Healthy, cut off, blocked, cost: in the two lines at the top."""
        overview = DASHBOARDS[0].json()
        top = {panel["title"] for panel in overview["panels"] if panel["gridPos"]["y"] < 8}

        assert {"Failed", "Cut off", "Blocked", "Cost an hour", "Usage coverage"} <= top
        assert DASHBOARDS[0].panel_id("Failed") == 2
        with pytest.raises(KeyError):
            DASHBOARDS[0].panel_id("Nothing")


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def _tile(width: int, height: int) -> Panel:
    return Stat(title="", says="", expr="1", width=width, height=height)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="grafana-foundation-sdk needs Python 3.11")
@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")
class TestSchema:
    """Grafana's own builders as the schema: they drop what they do not know."""

    @each_board
    def test_grafanas_builders_know_every_field(self, board: Dashboard) -> None:
        """Read and written again, nothing is lost."""
        assert list(_lost(board.json(), _read_again(board.json()))) == []

    @pytest.mark.parametrize(
        "path", [("panels", 0, "gridPos"), ("panels", 0, "fieldConfig", "defaults"), ()]
    )
    def test_a_misspelt_field_is_seen(self, path: tuple[str | int, ...]) -> None:
        """On the dashboard, on a panel, among the defaults."""
        whole = DASHBOARDS[0].json()
        inner: Any = whole
        for key in path:
            inner = inner[key]
        inner["noSuchField"] = 1

        assert list(_lost(whole, _read_again(whole))) == [(*path, "noSuchField")]

    @each_board
    def test_units_are_grafanas(self, board: Dashboard) -> None:
        """Any other is shown as text behind the number."""
        from grafana_foundation_sdk.models import units

        known = {value for value in vars(units).values() if isinstance(value, str)}
        used = {one["unit"] for one in walk(board.json()) if "unit" in one}
        used |= {one["value"] for one in walk(board.json()) if one.get("id") == "unit"}

        assert used <= known


def _read_again(whole: dict[str, Any]) -> Any:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard as Model

    register_default_plugins()
    return json.loads(json.dumps(Model.from_json(json.loads(json.dumps(whole))), cls=JSONEncoder))


def _lost(before: Any, after: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """The paths of what is in *before* and not, or otherwise, in *after*."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from _lost(value, after[key], *path, key)
            elif value is not None:
                yield (*path, key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _lost(one, other, *path, number)
    elif before != after:
        yield path
