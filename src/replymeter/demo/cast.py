"""The instrumented models of the demo: real classes where installed, recordings elsewhere."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel

from replymeter.demo.cases import Case, case_names, expected, load_case
from replymeter.demo.models import chat_model, installed
from replymeter.demo.replay import recorded_replies, replay_model
from replymeter.demo.script import PLAYED, SLOW, demo_cases
from replymeter.providers import find

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from replymeter.demo.script import Step
    from replymeter.demo.server import WireServer

_NEVER = 60.0  # seconds: longer than any caller of the demo waits
_LANES = 3  # calls at once of each kind of model
_IN_A_THREAD = BaseChatModel._agenerate  # noqa: SLF001  # what a class that has none inherits
_GRPC = "vertexai"
"""The flavour whose asynchronous calls speak gRPC, so that they need a server of their own."""


@dataclass(frozen=True)
class Pace:
    """How long a reply takes, in seconds: `delay` to its start, `pause` between chunks."""

    delay: float = 0.0
    pause: float = 0.0

    def of(self, flavour: str, case: str) -> Pace:
        """Some models are slower than others, and reasoning takes its time."""
        factor = (1 + PLAYED.index(flavour) % 5 / 2) * (4 if case == "reasoning" else 1)
        return Pace(self.delay * factor, self.pause * factor)


class Lane:
    """A real model at an address of its own, where it gets one reply after the other."""

    def __init__(self, name: str, model: BaseChatModel) -> None:
        self.name = name
        self.model = model


class Cast:
    """Every model that the script needs, built and instrumented by `load`."""

    def __init__(
        self, instrument: Callable[[BaseChatModel], object], wire: WireServer, pace: Pace
    ) -> None:
        self.cases: dict[str, dict[str, Case]] = {}
        self.cancellable: list[str] = []
        self.models: list[BaseChatModel] = []
        self._instrument = instrument
        self._wire = wire
        self._pace = pace
        self._providers: dict[str, str] = {}
        self._lanes: dict[str, asyncio.Queue[Lane]] = {}
        self._own: dict[tuple[str, str], BaseChatModel] = {}  # recorded: for each case
        self._grpc: dict[tuple[str, str], BaseChatModel] = {}

    def load(self, flavour: str, grpc_url: Callable[[str], str]) -> None:
        """Build the models of *flavour*; *grpc_url* is asked only for the real gRPC class."""
        if installed(flavour):
            names = demo_cases(case_names(flavour))
            self.cases[flavour] = {name: load_case(flavour, name) for name in names}
            self._load_real(flavour, grpc_url)
        else:
            recorded = recorded_replies()[flavour]
            self.cases[flavour] = recorded["cases"]
            self._load_recorded(flavour, recorded)

    @asynccontextmanager
    async def model(self, step: Step) -> AsyncIterator[BaseChatModel]:
        """The model that *step* calls, ready to get its reply."""
        key = (step.flavour, step.case)
        model = self._own.get(key)
        if model is None and step.mode.startswith("a"):
            model = self._grpc.get(key)
        if model is not None:
            yield model
            return
        lanes = self._lanes[step.flavour]
        lane = await lanes.get()
        try:
            self._wire.add(step.flavour, lane.name, self._served(step))
            yield lane.model
        finally:
            lanes.put_nowait(lane)

    def provider(self, step: Step) -> str:
        """The `gen_ai.provider.name` of the model that *step* calls."""
        return self._providers[step.flavour]

    def truth(self, step: Step) -> Case:
        """What must be read from the reply, when the caller waits for its end."""
        grpc = step.mode.startswith("a") and (step.flavour, step.case) in self._grpc
        return expected(self._case(step), stream=step.part == "stream", grpc=grpc)

    def request(self, step: Step) -> Mapping[str, Any]:
        """What the case wants to be asked with."""
        request: Mapping[str, Any] = self._case(step).get("request", {})
        return request

    def _case(self, step: Step) -> Case:
        return self.cases[step.flavour]["ok" if step.case == SLOW else step.case]

    def _pace_of(self, flavour: str, name: str) -> Pace:
        return Pace(_NEVER, _NEVER) if name == SLOW else self._pace.of(flavour, name)

    def _served(self, step: Step) -> Case:
        """The wire case as slow as it is to be; a slow stream stops after its first event."""
        pace = self._pace_of(step.flavour, step.case)
        delay = 0.0 if step.case == SLOW and step.part == "stream" else pace.delay
        case = self._case(step)
        waits: dict[str, Any] = {"delay": delay, "pause": pace.pause}
        # Both: a class may ask for a stream when invoked.
        parts = {part: {**waits, **case[part]} for part in ("invoke", "stream") if part in case}
        return dict(case) | parts

    def _add(self, flavour: str, model: BaseChatModel) -> BaseChatModel:
        self._instrument(model)
        self.models.append(model)
        self._providers[flavour] = find(model).provider.name
        return model

    def _load_real(self, flavour: str, grpc_url: Callable[[str], str]) -> None:
        lanes = self._lanes[flavour] = asyncio.Queue()
        threaded = False
        for name in map(str, range(_LANES)):
            model = self._add(flavour, chat_model(flavour, self._wire.url(flavour, name)))
            lanes.put_nowait(Lane(name, model))
            # A class without asynchronous methods runs in a thread, where nobody can stop it.
            threaded = type(model)._agenerate is _IN_A_THREAD  # noqa: SLF001
        if flavour == _GRPC:
            for name in self.cases[flavour]:
                model = chat_model(flavour, grpc_url(name), transport="grpc")
                self._grpc[flavour, name] = self._add(flavour, model)
        elif not threaded:
            self.cancellable.append(flavour)

    def _load_recorded(self, flavour: str, recorded: Mapping[str, Any]) -> None:
        cases = recorded["cases"]
        for name, case in {**cases, SLOW: cases["ok"]}.items():
            pace = self._pace_of(flavour, name)
            answers = {part: case[part] for part in ("invoke", "stream") if part in case}
            model = replay_model(recorded, answers, delay=pace.delay, pause=pace.pause)
            self._own[flavour, name] = self._add(flavour, model)
        self.cancellable.append(flavour)


def absent_packages() -> list[str]:
    """The providers' packages that are not installed, so that their recordings are replayed."""
    absent = (flavour for flavour in PLAYED if not installed(flavour))
    packages = (str(recorded_replies()[flavour]["package"]) for flavour in absent)
    return list(dict.fromkeys(package.partition(" ")[0] for package in packages))
