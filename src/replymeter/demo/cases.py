"""The wire cases: what each provider sends, one JSON file a case, and what it means."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

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


def expected(case: Case, *, stream: bool, grpc: bool = False) -> Case:
    """What must be read from the case in this mode; a key set to null there is not reported."""
    merged = dict(case["expected"])
    if stream:
        merged.update(case.get("expected_stream", {}))
    if grpc:
        merged.update(case.get("expected_grpc", {}))
    return {key: value for key, value in merged.items() if value is not None}
