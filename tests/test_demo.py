"""`replymeter demo`, without a terminal and with one, with providers' packages and without any."""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from replymeter import conventions as names
from replymeter.cli import main
from replymeter.demo import cast, replay
from replymeter.demo.cases import expected
from replymeter.demo.ledger import Ledger
from replymeter.demo.numbers import Numbers
from replymeter.demo.report import aligned, differences, headline, models_table
from replymeter.demo.script import PLAYED, SLOW, demo_cases, script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.testing import Captured

PROVIDERS = (
    "anthropic",
    "aws.bedrock",
    "fireworks",
    "gcp.vertex_ai",
    "groq",
    "mistral_ai",
    "openai",
    "together",
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider's package is installed, as far as the demo can see."""
    monkeypatch.setattr(cast, "installed", lambda _: False)


@pytest.fixture
def numbers(captured: Captured) -> Callable[[], Numbers]:
    """The counters of now."""
    return lambda: Numbers(captured._reader)


def cases(flavour: str) -> dict[str, Any]:
    """The recorded cases of a flavour."""
    recorded: dict[str, Any] = replay.recorded_replies()[flavour]["cases"]
    return recorded


@pytest.mark.usefixtures("bare")
class TestBare:
    """Without any provider's package."""

    def test_it_ends_by_itself_and_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        """One line says what is replayed; the ledger has every provider and no difference."""
        assert main(["demo"]) == 0

        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("Not installed, so recorded messages are replayed instead: ")
        assert "langchain-openai" in lines[0]
        ledger = lines[lines.index(next(line for line in lines if "wire" in line)) :]
        rows = {line.split()[0]: line.split()[-1] for line in ledger if line.split()[-1] == "0"}
        assert tuple(rows) == PROVIDERS
        assert lines[-1].endswith("the wire and the counters differ by 0.")

    def test_a_wrong_counter_is_found(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One token too many, and the exit code is 1 with the provider and the fact named."""
        honest = Numbers.points

        def points(self: Numbers, metric: Any, model: Any = None) -> Iterator[Any]:
            yield from honest(self, metric, model)
            if metric is names.INPUT_TOKENS:
                yield from list(honest(self, metric, ("groq", "llama-3.3-70b-versatile")))[:1]

        monkeypatch.setattr(Numbers, "points", points)

        assert main(["demo"]) == 1
        assert "DIFFERENCE  groq, input tokens: the wire says " in capsys.readouterr().out

    def test_it_sends_by_otlp(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A collector gets traces and metrics before the program ends."""
        with collector(200) as (url, paths):
            assert main(["demo", "--otlp", url]) == 0

        assert {"/v1/traces", "/v1/metrics"} == set(paths)
        assert f"Sent to {url}." in capsys.readouterr().out

    def test_a_server_that_is_no_collector_is_named(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What answers 404 took nothing."""
        with collector(404) as (url, _):
            assert main(["demo", "--otlp", url]) == 2

        assert f"{url} did not take all metrics and spans" in capsys.readouterr().out

    def test_the_live_view_shows_what_the_plain_one_says(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """On a terminal of 80 columns no number is cut, and the summary stays on it."""
        import replymeter.demo.run
        import replymeter.demo.view as shown

        class Terminal(shown.LiveView):
            def __init__(self) -> None:
                from rich.console import Console

                super().__init__(Console(force_terminal=True, width=80, height=24, no_color=True))

        monkeypatch.setattr(replymeter.demo.run, "view", Terminal)

        assert main(["demo", "--seconds", "0.2"]) == 0

        lines = re.sub(r"\x1b\[[0-9;?]*\w", "", capsys.readouterr().out).splitlines()
        tables = [line for line in lines if line.startswith(PROVIDERS)]
        assert not any("…" in line.split(maxsplit=2)[2] for line in tables if " %" in line)
        assert any(line.startswith("Cut off") for line in lines)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "localhost:4318", "http://:x"])
def test_a_collector_that_is_not_there_is_named(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is played: exit code 2, and what to do."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = url.format(port=closed.getsockname()[1])

        assert main(["demo", "--otlp", url]) == 2

    assert url in capsys.readouterr().out


def test_real_classes_differ_by_nothing() -> None:
    """With the providers' packages; Replymeter logs nothing, and the ledger is even."""
    command = [sys.executable, "-m", "replymeter.cli", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)

    # At exit an SDK's destructor may complain of what the interpreter took from it; we do not.
    assert "replymeter: " not in done.stderr
    assert done.stdout.startswith(("Loading ", "Not installed, so recorded messages are replayed"))
    assert done.stdout.splitlines()[-1].endswith("the wire and the counters differ by 0.")
    assert done.returncode == 0


class TestScript:
    """What is played."""

    def test_it_is_the_same_every_time(self) -> None:
        """Two scripts of the same cases are equal."""
        played = {flavour: cases(flavour) for flavour in PLAYED}

        assert script(played, ["openai"]) == script(played, ["openai"])

    def test_it_has_every_kind(self) -> None:
        """Every flavour is played in every mode, and left by its caller; only the slow cancel."""
        played = {flavour: cases(flavour) for flavour in PLAYED}
        steps = script(played, PLAYED)

        assert {(step.flavour, step.mode) for step in steps} == {
            (flavour, mode)
            for flavour in PLAYED
            for mode in ("invoke", "ainvoke", "stream", "astream")
        }
        assert {step.caller for step in steps} == {"finish", "abandon", "cancel"}
        assert {step.case for step in steps if step.caller == "cancel"} == {SLOW}


class TestReplay:
    """The model that gives recorded messages."""

    @pytest.mark.parametrize("flavour", PLAYED)
    def test_it_is_recognised(
        self, flavour: str, instrument: Callable[..., Any], numbers: Callable[[], Numbers]
    ) -> None:
        """It has the provider and the model of the class that was recorded."""
        recorded = replay.recorded_replies()[flavour]
        instrument(replay.replay_model(recorded, cases(flavour)["ok"])).invoke("hi")

        ((provider, model),) = numbers().models()
        assert provider in PROVIDERS
        assert model == recorded["identity"]["ls_params"].get("ls_model_name", "?")

    def test_an_error_has_the_recorded_classes(self) -> None:
        """Its name, its bases and its fields are those of the provider's exception."""
        error = replay.error_of(cases("openai")["error_429"]["invoke"]["error"])

        assert "RateLimitError" in {base.__name__ for base in type(error).__mro__}
        assert type(error).__module__.startswith(("openai", "langchain_openai"))
        assert error.status_code == 429  # type: ignore[attr-defined]


class TestNumbers:
    """What the counters say."""

    def test_headline(self, instrument: Callable[..., Any], numbers: Callable[[], Numbers]) -> None:
        """One good answer, one that was cut: half of the answers, and what it cost."""
        recorded = replay.recorded_replies()["openai"]
        for name in ("ok", "length"):
            instrument(replay.replay_model(recorded, cases("openai")[name])).invoke("hi")

        cut, blocked, failed, unseen, *_ = headline(numbers())
        paid = expected(cases("openai")["length"], stream=False)["output_tokens"]
        assert (cut.value, cut.alarm) == ("50.0 %", True)
        assert cut.detail == f"1 of 2 answers; paid for: {paid:,} output tokens"
        assert [line.value for line in (blocked, failed, unseen)] == ["0.0 %", "0.0 %", "0"]

    def test_nothing_yet(self, numbers: Callable[[], Numbers]) -> None:
        """Before the first call there are no shares and no quantiles."""
        assert [line.value for line in headline(numbers())] == ["-", "-", "-", "0", "0", "-"]
        assert models_table(numbers()).rows == ()

    def test_ledger_of_an_uncounted_call(self, numbers: Callable[[], Numbers]) -> None:
        """A call that the counters do not know is a difference in each of its facts."""
        ledger = Ledger()
        ledger.add("groq", {"normalised": ["stop"], "input_tokens": 3})

        assert differences(ledger.rows(numbers())) == [
            "groq, calls: the wire says 1, the counters say 0",
            "groq, ended stop: the wire says 1, the counters say 0",
            "groq, input tokens: the wire says 3, the counters say 0",
        ]

    def test_aligned(self, numbers: Callable[[], Numbers]) -> None:
        """Texts to the left, numbers to the right."""
        table = models_table(numbers())

        assert aligned(table)[0].split() == list(" ".join(table.columns).split())


def test_demo_cases_are_no_others() -> None:
    """Only what the script plays is in the wheel's replies."""
    for flavour in PLAYED:
        assert sorted(cases(flavour)) == demo_cases(cases(flavour))


@contextlib.contextmanager
def collector(status: int) -> Iterator[tuple[str, list[str]]]:
    """A server that takes every POST with *status*; its URL, and the paths that it was asked."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
