"""Two agents, three gateways that are all alike, and traces whose spans come from everywhere."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end import certificates
from tests.end_to_end.chain import Killable, run_agent, run_gateway
from tests.end_to_end.load import Load
from tests.end_to_end.parts import eventually, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

CALLS, RATE = 600, 150
GATEWAYS = 3
WAIT = 4  # seconds that a gateway waits for the rest of a trace before it judges it
ON_ITS_WAY = 2  # seconds from the end of a call to the gateway, at most


@dataclass(frozen=True)
class Place:
    """The agents, the gateways, and the Prometheus behind them."""

    agents: list[Killable]
    gateways: list[Killable]
    database: Prometheus
    folder: Path

    def load(self, service: str) -> Load:
        """A worker at each agent, both with spans of the same traces, running."""
        folder = self.folder / service
        folder.mkdir()
        load = Load(service, folder, self.database)
        for agent in self.agents:
            load.start(agent.collector, CALLS, RATE)
        return load

    def kept(self, load: Load) -> Counter[str]:
        """How often each span of *load* is in a gateway's file."""
        files = (gateway.collector.span_ids() for gateway in self.gateways)
        return Counter({span: n for span, n in sum(files, Counter()).items() if span in load.spans})

    def gateways_of_traces(self, load: Load) -> dict[str, set[int]]:
        """Of each trace of *load*, the gateways in whose files it is."""
        found: dict[str, set[int]] = defaultdict(set)
        for number, gateway in enumerate(self.gateways):
            for span in gateway.collector.span_ids():
                if span in load.spans:
                    found[load.spans[span]["trace"]].add(number)
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, database: Prometheus) -> Iterator[Place]:
    """All of it, running."""
    folder = tmp_path_factory.mktemp("gateways")
    tls = folder / "tls"
    certificates.write(tls)
    peers = free_ports(GATEWAYS)
    everyone = {
        "REPLYMETER_GATEWAY_PEERS": f"[{', '.join(f'127.0.0.1:{port}' for port in peers)}]",
        "REPLYMETER_DECISION_WAIT": f"{WAIT}s",
    }
    with ExitStack() as running:

        def start(run: Any, *arguments: Any, **variables: str) -> Killable:
            part = Killable(partial(run, *arguments, **variables))
            running.callback(part.close)
            return part

        gateways = [
            start(
                run_gateway, folder / f"gateway-{peer}", tls, database, free_ports(1)[0],
                REPLYMETER_PEER_PORT=str(peer), **everyone,
            )
            for peer in peers
        ]  # fmt: skip
        agents = [
            start(run_agent, folder / f"agent-{number}", tls, gateways[number].collector.grpc)
            for number in range(2)
        ]
        yield Place(agents, gateways, database, folder)


def must_keep(load: Load) -> set[str]:
    """Every span of a trace with an error, a truncation or a block."""
    traces = {span["trace"] for span in load.spans.values() if span["keep"]}
    return {span for span, said in load.spans.items() if said["trace"] in traces}


@pytest.fixture(scope="module")
def quiet(place: Place) -> Load:
    """A load that nothing happened to, judged."""
    load = place.load("gateways")
    load.finish()
    eventually(lambda: must_keep(load) <= set(place.kept(load)))
    return load


def test_no_trace_is_split(place: Place, quiet: Load) -> None:
    """The spans of a trace came by two agents and two gateways, and end in one file."""
    found = place.gateways_of_traces(quiet)
    share = Counter(number for numbers in found.values() for number in numbers)

    assert [trace for trace, numbers in found.items() if len(numbers) > 1] == []
    assert len(share) == GATEWAYS
    assert min(share.values()) > len(found) / 10


def test_what_an_operator_must_see_is_kept_and_nothing_else(place: Place, quiet: Load) -> None:
    """With 0 % of the rest: every trace with an error, a truncation or a block, whole, once."""
    assert must_keep(quiet)
    assert len(must_keep(quiet)) < len(quiet.spans)
    assert place.kept(quiet) == dict.fromkeys(must_keep(quiet), 1)
    assert quiet.differences() == {}


def test_a_gateway_that_is_killed_loses_no_count(place: Place, quiet: Load) -> None:
    """By -9, in the middle: of the spans only those are lost that it held to be judged."""
    gateway = place.gateways[0]
    load = place.load("gateways-killed")
    series = 'replymeter_finish_reasons_total{job="gateways-killed"}'
    eventually(lambda: place.database.total(series) >= CALLS / 2, 60)
    gateway.kill()
    killed = time.time()
    time.sleep(2)
    gateway.start()
    load.finish()
    held = {
        span
        for span, said in load.spans.items()
        if killed - WAIT - ON_ITS_WAY <= said["end"] <= killed
    }
    eventually(lambda: must_keep(load) - held <= set(place.kept(load)))
    kept = place.kept(load)
    lost = must_keep(load) - set(kept)
    sys.stdout.write(f"{len(lost)} of {len(held)} lost, {load.twice(kept)} twice\n")

    assert 0 < len(held) < len(load.spans)
    assert load.differences() == {}
    assert lost <= held
    assert load.twice(kept) < 5 * len(kept)  # It is tried again after seconds, not at once.
    assert [
        trace for trace, where in place.gateways_of_traces(load).items() if len(where) > 1
    ] == []
