"""The instrumented models of the demo: real classes where they are installed, recordings elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel

from replymeter.demo.cases import Case, case_names, expected, load_case
from replymeter.demo.models import FLAVOURS, chat_model, installed
from replymeter.demo.replay import recorded_replies, replay_model
from replymeter.demo.script import SLOW, demo_cases
from replymeter.providers import find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from replymeter.demo.script import Step
    from replymeter.demo.server import WireServer

_NEVER = 60.0  # seconds: longer than any caller of the demo waits
_GRPC = "vertexai"
"""The flavour whose asynchronous calls speak gRPC, so that they need a server of their own."""


@dataclass(frozen=True)
class Pace:
    """How long a reply takes, in seconds: `delay` to its start, `pause` between chunks."""

    delay: float = 0.0
    pause: float = 0.0

    def of(self, flavour: str, case: str) -> Pace:
        """Some models are slower than others, and reasoning takes its time."""
        factor = (1 + FLAVOURS.index(flavour) % 5 / 2) * (4 if case == "reasoning" else 1)
        return Pace(self.delay * factor, self.pause * factor)


class Cast:
    """Every model that the script needs, built and instrumented by `load`."""

    def __init__(
        self, instrument: Callable[[BaseChatModel], object], wire: WireServer, pace: Pace
    ) -> None:
        self.cases: dict[str, dict[str, Case]] = {}
        self.cancellable: list[str] = []
        self._instrument = instrument
        self._wire = wire
        self._pace = pace
        self._models: dict[tuple[str, str, bool], BaseChatModel] = {}
        self._providers: dict[tuple[str, str, bool], str] = {}

    @property
    def models(self) -> list[BaseChatModel]:
        """Every model that was built."""
        return list(self._models.values())

    def load(self, flavour: str, grpc_url: Callable[[str], str]) -> None:
        """Build the models of *flavour*; *grpc_url* is asked only for the real gRPC classes."""
        if installed(flavour):
            names = demo_cases(case_names(flavour))
            cases = {name: load_case(flavour, name) for name in names}
            self._load_real(flavour, cases, grpc_url)
        else:
            recorded = recorded_replies()[flavour]
            cases = recorded["cases"]
            self._load_recorded(flavour, recorded)
        self.cases[flavour] = cases

    def model(self, step: Step) -> BaseChatModel:
        """The model that *step* calls."""
        return self._models[self._key(step)]

    def provider(self, step: Step) -> str:
        """The `gen_ai.provider.name` of the model that *step* calls."""
        return self._providers[self._key(step)]

    def truth(self, step: Step) -> Case:
        """What must be read from the reply, when the caller waits for its end."""
        case = self.cases[step.flavour][step.case]
        grpc = self._key(step)[2]
        return expected(case, stream=step.part == "stream", grpc=grpc)

    def request(self, step: Step) -> Mapping[str, Any]:
        """What the case wants to be asked with."""
        case = self.cases[step.flavour]["ok" if step.case == SLOW else step.case]
        return case.get("request", {})

    def _key(self, step: Step) -> tuple[str, str, bool]:
        grpc = (step.flavour, step.case, True)
        if step.mode.startswith("a") and grpc in self._models:
            return grpc
        return (step.flavour, step.case, False)

    def _add(self, flavour: str, name: str, model: BaseChatModel, *, grpc: bool = False) -> None:
        key = (flavour, name, grpc)
        self._instrument(model)
        self._models[key] = model
        self._providers[key] = find(model).provider.name

    def _load_real(
        self, flavour: str, cases: Mapping[str, Case], grpc_url: Callable[[str], str]
    ) -> None:
        client = _client_of(flavour)
        for name, case in {**cases, SLOW: cases["ok"]}.items():
            url = self._serve(flavour, name, case)
            self._add(flavour, name, chat_model(flavour, url, **client(url)))
            if flavour == _GRPC and name != SLOW:
                other = chat_model(flavour, grpc_url(name), transport="grpc")
                self._add(flavour, name, other, grpc=True)
        # A class without asynchronous methods runs in a thread, where nobody can stop it.
        own = type(self._models[flavour, "ok", False])._agenerate is not BaseChatModel._agenerate
        if own and flavour != _GRPC:
            self.cancellable.append(flavour)

    def _serve(self, flavour: str, name: str, case: Case) -> str:
        pace = Pace(_NEVER, _NEVER) if name == SLOW else self._pace.of(flavour, name)
        slowed = dict(case)
        if "invoke" in case:
            slowed["invoke"] = {"delay": pace.delay, **case["invoke"]}
        if "stream" in case:
            delay = 0.0 if name == SLOW else pace.delay
            slowed["stream"] = {"delay": delay, "pause": pace.pause, **case["stream"]}
        return self._wire.add(flavour, name, slowed)

    def _load_recorded(self, flavour: str, recorded: Mapping[str, Any]) -> None:
        for name, case in {**recorded["cases"], SLOW: recorded["cases"]["ok"]}.items():
            pace = Pace(_NEVER, _NEVER) if name == SLOW else self._pace.of(flavour, name)
            answers = {part: case[part] for part in ("invoke", "stream") if part in case}
            model = replay_model(recorded, answers, delay=pace.delay, pause=pace.pause)
            self._add(flavour, name, model)
        self.cancellable.append(flavour)


def _client_of(flavour: str) -> Callable[[str], dict[str, Any]]:
    """What saves time in building many models: Amazon's clients share one session's data."""
    if not flavour.startswith("bedrock"):
        return lambda _: {}
    from boto3 import Session  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    session = Session(aws_access_key_id="no", aws_secret_access_key="key", region_name="us-east-1")  # noqa: S106
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=64)

    def clients(url: str) -> dict[str, Any]:
        client = session.client("bedrock-runtime", endpoint_url=url, config=config)
        return {"client": client, "bedrock_client": client}

    return clients


def absent_packages() -> list[str]:
    """The providers' packages that are not installed, so that their recordings are replayed."""
    absent = (flavour for flavour in FLAVOURS if not installed(flavour))
    packages = (str(recorded_replies()[flavour]["package"]) for flavour in absent)
    return list(dict.fromkeys(package.partition(" ")[0] for package in packages))
