"""The wire cases: what each provider sends, one JSON file a case, and what it means."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Case = dict[str, Any]

_WIRE = Path(__file__).parent / "wire"


def case_names(flavour: str) -> tuple[str, ...]:
    """The names of a flavour's cases, sorted; empty for an unknown flavour."""
    return tuple(sorted(path.stem for path in (_WIRE / flavour).glob("*.json")))


@cache
def load_case(flavour: str, name: str) -> Case:
    """One case as data; KeyError when there is none. The answer is shared: do not change it."""
    if name not in case_names(flavour):
        raise KeyError(f"{flavour}/{name}")
    case: Case = json.loads((_WIRE / flavour / f"{name}.json").read_text(encoding="utf-8"))
    return case


@cache
def about(flavour: str) -> Mapping[str, Any]:
    """What no case of a flavour can say, from `wire/<flavour>.json`.

    `title`: what tells it from others of its class. `cannot`: the common cases that the provider
    cannot show, and why. `remedies`: by the reason for which something is withheld, what a user
    can do about it. `ignored`: paths of metadata that no row reads, and why.
    """
    path = _WIRE / f"{flavour}.json"
    found: Case = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def withheld(flavour: str, name: str, *, stream: bool) -> dict[str, str]:
    """Why a reply does not tell what it should, by fact: the package drops it, or the wire.

    `wire/unsaid.json` has the reasons of the cases that leave something out on the wire.
    """
    mode = "stream" if stream else "invoke"
    reasons: dict[str, str] = {}
    for source in (about("unsaid").get(name, {}), load_case(flavour, name).get("withheld", {})):
        reason = ""
        for key, said in source.items():
            reason = reason if said.startswith(("the same", "same")) else said
            where, _, fact = key.rpartition(".")
            if where in ("", mode):
                reasons[fact] = reason
    return reasons


def expected(case: Case, *, stream: bool, grpc: bool = False) -> Case:
    """What must be read from the case in this mode; a key set to null there is not reported."""
    merged = dict(case["expected"])
    if stream:
        merged.update(case.get("expected_stream", {}))
    if grpc:
        merged.update(case.get("expected_grpc", {}))
    return {key: value for key, value in merged.items() if value is not None}
