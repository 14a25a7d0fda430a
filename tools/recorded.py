"""The recordings, read: what a call that gave each one would have ended with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from replymeter.demo.replay import chunks_of, replay_model, result_of
from replymeter.emit import finish_reasons
from replymeter.failures import read_failure
from replymeter.fold import Fold
from replymeter.providers import find
from replymeter.read import choices_of, read
from replymeter.reading import Ending, Failure, Reading, Request, Timing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.providers.spec import Provider

    Recording = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "tests" / "recordings"
MODES = ("invoke", "ainvoke", "stream", "astream")


@cache
def load(recording: str) -> Recording:
    """A recording by `flavour/case`."""
    loaded: Recording = json.loads((FOLDER / f"{recording}.json").read_text(encoding="utf-8"))
    return loaded


RECORDINGS = sorted(f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.json"))
ANSWERS = [(name, mode) for name in RECORDINGS for mode in MODES if mode in load(name)]


class Read:
    """One recorded answer, read: what a call of it would have ended with."""

    def __init__(self, name: str, mode: str) -> None:
        recording = load(name)
        self.provider: Provider = find(replay_model(recording, {})).provider
        self.mode = mode.removeprefix("a")
        self.choices: list[Mapping[str, Any]] = []
        self.error: Exception | None = None
        request = Request(choices=recording.get("request", {}).get("n", 1))
        reading = self._reading(recording[mode], request)
        failure = self._failure(mid_stream=bool(recording[mode].get("chunks")))
        outcome = "error" if failure else "ok"
        self.ending = Ending(
            outcome=outcome,
            reasons=finish_reasons(outcome, reading, failure),
            request=request,
            reading=reading,
            timing=Timing(duration=1.0),
            failure=failure,
        )

    def _failure(self, *, mid_stream: bool) -> Failure | None:
        if self.error is None:
            return None
        return read_failure(self.error, self.provider, mid_stream=mid_stream)

    def _reading(self, answer: Recording, request: Request) -> Reading:
        fold = Fold(self.provider, request.choices, _fail)
        try:
            if self.mode == "invoke":
                self.choices = choices_of(result_of(answer))
            else:
                for chunk in chunks_of(answer):
                    fold.take(chunk)
        except Exception as error:  # noqa: BLE001  # it was recorded
            self.error = error
        if self.mode == "stream" and answer["chunks"]:
            self.choices = fold.choices()
        return read(self.choices, self.provider, mode=self.mode, suspect=fold.running_totals)


def _fail(error: Exception) -> NoReturn:
    raise error


@cache
def read_answer(name: str, mode: str) -> Read:
    """Each answer is read once for all tests."""
    return Read(name, mode)
