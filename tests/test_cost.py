"""What calls cost: by the list, by prices of one's own, and when neither knows."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import replymeter
from replymeter import conventions as names
from replymeter.cost import Pricing, table_of
from tests.fakes import Provider, reply, result, usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

listed = pytest.mark.skipif(sys.version_info < (3, 11), reason="genai-prices needs Python 3.11")

OWN = {"fake-1": {"input": 2.5, "output": 10, "cache_read": 0.25, "cache_write": 3}}
DETAILS = {"cache_read": 400, "cache_creation": 100}


def answer(**more: Any) -> Any:
    """1,000 tokens in, 400 of them read from cache and 100 written to it, 200 out."""
    counts = usage(1000, 200, input_token_details=DETAILS, **more)
    return result(reply(usage_metadata=counts))


def told(captured: Captured) -> tuple[Any, ...]:
    """The cost on the span, and the parts in the metrics."""
    said = captured.spans[-1].attributes or {}
    on_span = tuple(said.get(name) for name in (names.COST, *names.COST_OF.values()))
    return on_span, tuple(
        captured.total(names.COST_OF_CALLS.name, part=part) for part in names.COST_PARTS
    )


def test_off_there_is_no_cost(instrument: Instrument, captured: Captured) -> None:
    """Unasked, there is neither a cost nor a missing one, not even a series at 0."""
    instrument(Provider(answer=answer())).invoke("hello")

    assert told(captured) == ((None, None, None), (0, 0))
    assert captured.points(names.COST_OF_CALLS.name) == []
    assert captured.points(names.COST_MISSING.name) == []


def test_own_prices_price_each_part_apart(instrument: Instrument, captured: Captured) -> None:
    """500 fresh at 2.5, 400 read at 0.25, 100 written at 3, 200 out at 10."""
    instrument(Provider(answer=answer()), prices=OWN).invoke("hello")

    read = (500 * 2.5 + 400 * 0.25 + 100 * 3) / 1e6
    assert told(captured) == ((read + 0.002, read, 0.002), (read, 0.002))
    assert captured.total(names.COST_OF_CALLS.name, finish_reason="stop") == read + 0.002
    assert captured.total(names.COST_MISSING.name) == 0
    assert len(captured.points(names.COST_MISSING.name)) == len(names.COST_REASONS)


def test_an_hours_cache_has_its_own_price(instrument: Instrument, captured: Captured) -> None:
    """Anthropic's one-hour cache costs more to write than the five-minute one."""
    details = {
        "cache_creation": 0,
        "ephemeral_5m_input_tokens": 60,
        "ephemeral_1h_input_tokens": 40,
    }
    counts = usage(100, 0, input_token_details=details)
    prices = {"fake-1": {"input": 1, "output": 1, "cache_write": 10, "cache_write_1h": 100}}
    instrument(Provider(answer=result(reply(usage_metadata=counts))), prices=prices).invoke("hi")

    assert told(captured)[1] == ((60 * 10 + 40 * 100) / 1e6, 0)


def test_choices_that_ended_differently_are_mixed(
    instrument: Instrument, captured: Captured
) -> None:
    """What choices share has no reason of its own."""
    llm = Provider(answer=result(reply(reason="stop"), reply(reason="length")))
    instrument(llm, prices=OWN).invoke("hello")

    assert captured.total(names.COST_OF_CALLS.name, finish_reason="mixed") > 0
    assert captured.total(names.COST_OF_CALLS.name, finish_reason="stop") == 0


def test_an_unknown_model_is_counted_and_not_guessed(
    instrument: Instrument, captured: Captured
) -> None:
    """A model that is in no price list costs nothing that we know of."""
    instrument(Provider(answer=answer()), prices={"other": OWN["fake-1"]}).invoke("hello")

    assert told(captured) == ((None, None, None), (0, 0))
    assert captured.total(names.COST_MISSING.name, cost_reason="unknown_model") == 1


def test_no_usage_is_no_price(instrument: Instrument, captured: Captured) -> None:
    """A reply without usage is missing, and so is a stream that was left; an error is neither."""
    silent = Provider(answer=result(reply(usage_metadata=None)), errors=[ValueError("no")])
    instrument(silent, prices=OWN)
    with pytest.raises(ValueError, match="no"):
        silent.invoke("hello")
    silent.invoke("hello")

    assert captured.total(names.COST_MISSING.name) == 1
    assert captured.total(names.COST_MISSING.name, cost_reason="usage_missing") == 1


def test_half_a_usage_is_half_a_price(instrument: Instrument, captured: Captured) -> None:
    """What is known is counted, the rest is missing, and there is no total."""
    counts = {"input_tokens": 1000, "output_tokens": None, "total_tokens": 1000}
    half = Provider(answer=result(reply()))
    object.__setattr__(half.answer.generations[0].message, "usage_metadata", counts)
    instrument(half, prices=OWN).invoke("hello")

    assert told(captured) == ((None, 0.0025, None), (0.0025, 0))
    assert captured.total(names.COST_MISSING.name, cost_reason="usage_missing") == 1


@listed
@pytest.mark.parametrize(
    ("kind", "model", "asked"),
    [
        ("openai-chat", "gpt-4o", ("openai", "gpt-4o")),
        ("azure-openai-chat", "gpt-4o", ("azure", "gpt-4o")),
        ("anthropic-chat", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("xai-chat", "grok-3", ("x-ai", "grok-3")),
    ],
)
def test_the_list_prices_what_it_knows(
    kind: str, model: str, asked: tuple[str, str], instrument: Instrument, captured: Captured
) -> None:
    """The same number as genai-prices itself gives, on span and metric."""
    import genai_prices

    counts = genai_prices.Usage(
        input_tokens=1000, output_tokens=200, cache_read_tokens=400, cache_write_tokens=100
    )
    provider, ref = asked
    want = genai_prices.calc_price(counts, ref, provider_id=provider)
    instrument(Provider(kind=kind, model=model, answer=answer()), cost=True).invoke("hello")

    parts = float(want.input_price), float(want.output_price)
    assert min(parts) > 0
    assert told(captured) == ((float(want.total_price), *parts), parts)


@listed
def test_the_service_tier_has_its_price(instrument: Instrument, captured: Captured) -> None:
    """`flex` costs less than the standard tier, `priority` more."""
    costs: dict[str, Any] = {}
    for tier in ("default", "flex", "priority"):
        metadata = {"finish_reason": "stop", "service_tier": tier, "model_name": "gpt-5-mini"}
        answered = result(reply(usage_metadata=usage(1000, 100), response_metadata=metadata))
        llm = Provider(kind="openai-chat", model="gpt-5-mini", answer=answered)
        instrument(llm, cost=True).invoke("hello")
        costs[tier] = (captured.spans[-1].attributes or {})[names.COST]

    assert costs["flex"] < costs["default"] < costs["priority"]


@listed
def test_own_prices_come_before_the_list(instrument: Instrument, captured: Captured) -> None:
    """A contract's price wins; the rest is priced by the list; a provider may be named."""
    own = {"openai/gpt-4o": {"input": 1, "output": 1}}
    for model in ("gpt-4o", "gpt-4o-mini"):
        llm = Provider(kind="openai-chat", model=model, answer=answer())
        instrument(llm, cost=True, prices=own).invoke("hello")

    contract: Any
    list_price: Any
    contract, list_price = ((span.attributes or {})[names.COST] for span in captured.spans)
    assert contract == 0.0012
    assert 0 < list_price < 0.0012


@listed
def test_a_fee_a_request_is_not_guessed(instrument: Instrument, captured: Captured) -> None:
    """Perplexity's fee depends on the search, of which the list has but the dearest."""
    llm = Provider(kind="perplexitychat", model="sonar", answer=answer())
    instrument(llm, cost=True, provider="perplexity").invoke("hello")

    assert captured.total(names.COST_OF_CALLS.name) == 0
    assert captured.total(names.COST_MISSING.name, cost_reason="unknown_model") == 1


@listed
def test_ten_thousand_unknown_models_are_not_remembered() -> None:
    """Models named call by call do not fill the memory."""
    from replymeter.cost import _MOST_FOUND

    pricing = Pricing((), listed=True)
    for number in range(_MOST_FOUND + 10):
        pricing._place("openai", f"model-{number}")

    assert len(pricing._found) == _MOST_FOUND


def test_a_failure_of_the_pricing_is_ours(
    instrument: Instrument, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call goes on and is counted, only not priced."""
    llm = instrument(Provider(answer=answer()), prices=OWN)
    monkeypatch.setattr(Pricing, "cost", lambda *_: 1 / 0)

    assert llm.invoke("hello").content == "hi"
    assert captured.total(names.INTERNAL_ERRORS.name, kind="cost") == 1
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="stop") == 1


def test_a_file_of_prices(instrument: Instrument, captured: Captured, tmp_path: Path) -> None:
    """JSON keeps the decimals as they are written."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"fake-1": {"input": 0.1, "output": 0.3}}))
    instrument(Provider(answer=answer()), prices=path).invoke("hello")

    assert told(captured)[1] == (float(Decimal("0.0001")), float(Decimal("0.00006")))


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (3, "give a mapping"),
        ("/nowhere.json", "cannot read the file"),
        ({"m": 3}, "the prices of 'm' must look like"),
        ({"m": {"input": 1}}, "`input` and `output` are needed"),
        ({"m": {"input": 1, "output": 1, "cached": 1}}, "must look like"),
        ({"m": {"input": -1, "output": 1}}, "input of 'm' is -1"),
        ({"m": {"input": 1, "output": "free"}}, "output of 'm' is 'free'"),
        ({"m": {"input": True, "output": 1}}, "input of 'm' is True"),
        ({"m": {"input": float("nan"), "output": 1}}, "input of 'm' is nan"),
    ],
)
def test_prices_that_are_none(prices: Any, said: str) -> None:
    """A clear error where the prices are given, that names the argument and the place."""
    with pytest.raises(ValueError, match=said) as raised:
        replymeter.instrument(Provider(), prices=prices)

    assert "replymeter.instrument(prices=" in str(raised.value)


def test_without_genai_prices_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At `instrument`, not at the first call."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    with pytest.raises(ImportError, match=r"pip install 'replymeter\[cost\]'"):
        replymeter.instrument(Provider(), cost=True)


def test_a_pickled_model_keeps_its_prices() -> None:
    """Prices are equal by what they say."""
    import pickle

    table = table_of(OWN)
    pricing = Pricing(table, listed=False)

    assert pickle.loads(pickle.dumps(pricing)) == pricing  # noqa: S301  # our own bytes
    assert pricing != Pricing((), listed=False)
