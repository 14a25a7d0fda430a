"""Apps that send to a real Collector and Prometheus, and every query that is asked of it."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from replymeter import conventions as names
from replymeter.alerts import groups
from replymeter.alerts.spec import RECORDINGS
from replymeter.dashboards import DASHBOARDS
from replymeter.dashboards.tables import Table
from tests.end_to_end.conftest import Pipeline
from tests.end_to_end.gate import PRICES, Calls
from tests.end_to_end.gate_app import IDLE
from tests.end_to_end.gate_panels import INTERVAL, PANELS, RANGE
from tests.end_to_end.parts import collector, eventually, part, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replymeter.dashboards.panels import Target
    from tests.end_to_end.gate import Want

STEP = 60
Answer: TypeAlias = dict[tuple[str, ...], float]


@dataclass(frozen=True)
class Run:
    """What was sent to a Prometheus, and when its last call was exported.

    `history`: it has calls of the day before, which are not among these.
    """

    pipeline: Pipeline
    end: int
    calls: Calls
    history: bool = False

    def ask(self, expr: str, at: float, window: int = RANGE) -> Answer:
        """What an expression gives at a time, by the values of its labels."""
        query = concrete(expr, window)
        answer = self.pipeline.prometheus.ask("query", query=query, time=str(at))
        return {_key(one["metric"]): float(one["value"][1]) for one in answer["result"]}

    def over_time(self, expr: str) -> dict[int, Answer]:
        """What it gives at each step from the first export to the end."""
        start = self.end - (INTERVAL - STEP)
        answer = self.pipeline.prometheus.ask(
            "query_range", query=concrete(expr), start=str(start), end=str(self.end), step=str(STEP)
        )
        found: dict[int, Answer] = {at: {} for at in range(start, self.end + 1, STEP)}
        for one in answer["result"]:
            for at, value in one["values"]:
                found[int(at)][_key(one["metric"])] = float(value)
        return found


def _key(labels: dict[str, str]) -> tuple[str, ...]:
    if "le" in labels:  # 1 and 1.0 are the same bound.
        labels = {**labels, "le": f"{float(labels['le']):g}"}
    return tuple(value for _, value in sorted(labels.items()))


def concrete(expr: str, window: int = RANGE) -> str:
    """*expr* with values for Grafana's variables, and *All* for those that can be chosen."""
    text = expr.replace("$__rate_interval", f"{INTERVAL}s").replace("$__range", f"{window}s")
    text = re.sub(r"\$(environment|job|provider|model)\b", ".*", text.replace("$slo", "10.24"))
    return _RECORDED.sub(_inlined, text)


_RECORDED = re.compile(
    f"({'|'.join(re.escape(one.name) for one in RECORDINGS)})"
    r"(\{[^}]*\})?\[(\w+)\]( offset \w+)?"
)


def _inlined(found: re.Match[str]) -> str:
    """What a recording rule has recorded, every minute: the same question, asked afterwards."""
    name, matchers, window, offset = found.groups("")
    (rule,) = (one for one in RECORDINGS if one.name == name)
    series = rule.metric.prometheus
    return f"({rule.expr.replace(series, series + matchers)})[{window}:1m]{offset}"


def queries() -> list[tuple[str, str, Target, Want]]:
    """Every query of every panel, with what it must answer; a panel on several boards once."""
    found: dict[tuple[str, int], tuple[str, str, Target, Want]] = {}
    for board in DASHBOARDS:
        for panel in board.panels:
            title = panel.title if panel.title != "Models" else f"{board.slug}/{panel.title}"
            columns = panel.columns if isinstance(panel, Table) else ()
            assert len(panel.targets) == len(PANELS.get(title, ())), title
            for number, (target, want) in enumerate(
                zip(panel.targets, PANELS.get(title, ()), strict=True)
            ):
                of = f": {columns[number].title}" if columns else ""
                found[title, number] = (title, of, target, want)
    return list(found.values())


QUERIES = queries()
OTHERS = {
    **{f"{board.slug} versions": board.deployments for board in DASHBOARDS},
    **{rule.name: rule.expr for rule in RECORDINGS},
    **{alert.name: alert.expr for alerts in groups().values() for alert in alerts},
}
VARIABLES = {variable.name: variable.query for variable in DASHBOARDS[0].variables}

DAY = 86400
OPTIONS = {"chunk_timing": True, "prices": PRICES}


def start(folder: Path, pipeline: Pipeline, **told: Any) -> Calls:
    """Run the app to its end; its calls, when all of them are in Prometheus."""
    file = folder / f"{told['end']}.json"
    told = {"file": str(file), "modes": ["invoke", "stream"], "times": 1, **told}
    app = pipeline.start_app(
        "gate_app",
        "gate",
        json.dumps(told),
        OTEL_METRIC_EXPORT_INTERVAL="3600000",  # The app exports by itself.
        OTEL_TRACES_EXPORTER="none",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.version=1.2.3",
    )
    try:
        _, errors = app.communicate(timeout=240)
    finally:
        app.kill()
    assert app.returncode == 0, errors[-4000:]
    calls: Calls = json.loads(file.read_text())
    run = Run(pipeline, told["end"] + IDLE, calls)
    heard = f"count(timestamp({names.FINISH_REASON_COUNT.prometheus}) == {run.end})"
    eventually(lambda: run.ask(heard, run.end))
    return calls


@contextmanager
def pipeline_in(folder: Path) -> Iterator[Pipeline]:
    """A collector and a Prometheus that knows no time but the app's: it scrapes nothing."""
    part("collector")
    changes = {"targets": "[]", "rule_files": "[]", "out_of_order_time_window": "4d"}
    with ExitStack() as stack:
        database = stack.enter_context(prometheus(folder, **changes))
        environment = {"REPLYMETER_PROMETHEUS_URL": database.url}
        sent_to = collector("laptop.yaml", folder / "collector", environment)
        yield Pipeline(stack.enter_context(sent_to), database)


@dataclass(frozen=True)
class Gate:
    """All that was sent, and what an empty Prometheus answered before."""

    runs: dict[int, Run]
    before: Run
    empty: dict[str, Any]


@contextmanager
def sent(folder: Path) -> Iterator[Gate]:
    """Every scenario exported every 15 s; in a second Prometheus those of OpenAI every 60 s.

    The second was asked everything while it was empty, and knows plain calls of the day before.
    """
    end = int(time.time()) // 60 * 60 - IDLE - 60
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        often, seldom = (stack.enter_context(pipeline_in(folder / one)) for one in ("15", "60"))
        first = pool.submit(
            start, folder / "15", often, end=end, interval=15, exports=INTERVAL // 15,
            flavours=["openai", "anthropic", "bedrock_converse"], given_up=True, options=OPTIONS,
        )  # fmt: skip
        empty = everything(Run(seldom, end, []), end)
        yesterday = end - DAY + 1800
        before = start(
            folder / "60", seldom, end=yesterday, interval=60, exports=4, flavours=["openai"],
            cases=["ok", "cache_read"], modes=["invoke"], times=15, options={},
        )  # fmt: skip
        today = start(
            folder / "60", seldom, end=end, interval=60, exports=4, flavours=["openai"], times=4,
            given_up=True, options=OPTIONS,
        )  # fmt: skip
        runs = {15: Run(often, end, first.result()), 60: Run(seldom, end, today, history=True)}
        yield Gate(runs, Run(seldom, yesterday, before), empty)


def everything(run: Run, at: float, window: int = RANGE) -> dict[str, Any]:
    """The answer to every query there is."""
    answers = {
        f"{title}{of} {one.expr}": run.ask(one.expr, at, window) for title, of, one, _ in QUERIES
    }
    return answers | {name: run.ask(expr, at) for name, expr in OTHERS.items()} | values(run, at)


def values(run: Run, at: float) -> dict[str, Any]:
    """What Grafana lists for each variable."""
    found = {}
    for name, query in VARIABLES.items():
        series, label = concrete(query)[len("label_values(") : -1].rsplit(", ", 1)
        span = {"start": str(at - RANGE), "end": str(at)}
        found[name] = run.pipeline.prometheus.ask(
            f"label/{label}/values", **{"match[]": series}, **span
        )
    return found
