"""What a provider or its package withholds is counted as missing, and the data says why.

`docs/providers.md` lists all of it; the reasons stand in the wire cases.
"""

from __future__ import annotations

from typing import Any

import pytest

from replymeter import conventions as names
from replymeter.demo.cases import about, case_names, load_case, withheld
from replymeter.demo.models import FLAVOURS
from replymeter.emit import attributes, measurements
from tests.test_exactness import on_span
from tools.recorded import ANSWERS, MODES, RECORDINGS, read_answer

USAGE = ("input_tokens", "output_tokens")
OFTEN_WITHHELD = (*USAGE, "cache_read", "cache_write", "reasoning", "blocks", "response_model",
                  "response_id", "service_tier", "system_fingerprint")  # fmt: skip
LESSER = {"guardrail", "refusal", "other"}  # what is counted where the category is lost
ANSWERED = [(name, mode) for name, mode in ANSWERS if read_answer(name, mode).error is None]


def counted(name: str, mode: str, metric: str) -> float:
    """What a call that was answered by this recording adds to *metric* as missing."""
    return sum(
        value
        for measured, value, labels in measurements(read_answer(name, mode).ending)
        if measured.name == metric
        and (metric == names.USAGE_MISSING.name or (names.FINISH_REASON, "missing") in labels)
    )


def reasons(name: str, mode: str) -> dict[str, str]:
    """Why a recording in *mode* withholds what it does, by fact."""
    flavour, _, case = name.partition("/")
    return withheld(flavour, case, stream=mode.endswith("stream"))


def facts(name: str, mode: str) -> dict[str, Any]:
    """What is read from a recording in *mode*, in the wire cases' words."""
    return on_span(attributes(read_answer(name, mode).ending))


@pytest.mark.parametrize(("name", "mode"), ANSWERED)
def test_what_is_withheld_is_counted_and_has_a_reason(name: str, mode: str) -> None:
    """No usage, and no finish reason, are counted as missing; the wire case says whose doing."""
    given, why = facts(name, mode), reasons(name, mode)
    unsaid = [key.rpartition(".")[2] for key in about("unsaid").get(name.partition("/")[2], {})]
    lost = [count for count in USAGE if count not in given]
    missing = counted(name, mode, names.FINISH_REASON_COUNT.name)

    assert counted(name, mode, names.USAGE_MISSING.name) == (len(lost) == len(USAGE))
    assert missing == given["normalised"].count("missing")
    needed = ["normalised"] if missing else []
    if lost and not any(why.get(count) for count in USAGE):
        needed += lost
    if missing and "normalised" not in unsaid and "finish_reasons" not in given:
        needed.append("finish_reasons")
    assert [fact for fact in needed if not why.get(fact)] == [], (
        f"{name} ({mode}) withholds these: give the reason under `withheld` in "
        f"src/replymeter/demo/wire/{name}.json"
    )


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_one_mode_says_and_the_other_withholds_has_a_reason(name: str) -> None:
    """The wire has it, and one of the two shows it."""
    modes = [mode for mode in MODES if (name, mode) in ANSWERED]
    said = {mode: facts(name, mode) for mode in modes}
    for mode in modes:
        for fact in OFTEN_WITHHELD:
            if any(fact in said[other] for other in modes) and fact not in said[mode]:
                assert fact in reasons(name, mode), (
                    f"{name} ({mode}) withholds {fact}: give the reason under `withheld` in "
                    f"src/replymeter/demo/wire/{name}.json"
                )


@pytest.mark.parametrize(("name", "mode"), ANSWERED)
def test_what_is_listed_as_withheld_is_not_given(name: str, mode: str) -> None:
    """A package that has learnt to hand a fact over takes it off the list."""
    flavour, _, case = name.partition("/")
    given = facts(name, mode)
    listed = load_case(flavour, case).get("withheld", {})
    for key, reason in listed.items():
        where, _, fact = key.rpartition(".")
        if where not in ("", mode.removeprefix("a")):
            continue
        if fact == "blocks":  # what is lost is the category
            assert {category for _, category in given.get(fact, ())} <= LESSER
        elif fact == "normalised":
            by_the_wire = reason.rpartition("by the wire it is ")[2].split(",")[0]
            assert given[fact] != [by_the_wire]
        elif fact != "error_type":
            assert fact not in given, f"{name} ({mode}) gives {fact}: take it off `withheld`"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_remedy_is_for_something_withheld(flavour: str) -> None:
    """And it stands where a reader of the page finds it."""
    reasons = {
        reason
        for case in case_names(flavour)
        for stream in (False, True)
        for reason in withheld(flavour, case, stream=stream).values()
    }
    assert about(flavour).get("remedies", {}).keys() <= reasons


def test_every_reason_is_of_a_case_that_there_is() -> None:
    """What explains nothing goes."""
    assert about("unsaid").keys() <= {name.partition("/")[2] for name in RECORDINGS}
