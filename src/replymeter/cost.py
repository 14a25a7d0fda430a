"""What a call cost: by prices of the user's own, then by the list prices of `genai-prices`.

A price that is not known is counted as missing, never guessed. Nothing is fetched: the list is
the one that is installed, or the one that the application had `genai_prices.UpdatePrices` fetch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from replymeter import conventions as names
from replymeter.reading import Cost

if TYPE_CHECKING:
    from replymeter.providers.spec import Provider
    from replymeter.reading import Reading, Usage

UNKNOWN_MODEL, USAGE_MISSING = names.COST_REASONS

_MILLION = 1_000_000
_KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
_NEEDS = (
    "list prices need the package genai-prices (Python 3.11 or newer): pip install "
    "'replymeter[cost]', or give `prices` of your own"
)
_MOST_FOUND = 1024  # models whose place in the list is remembered


NO_USAGE = Cost(missing=USAGE_MISSING)


class Price(NamedTuple):
    """US dollars per million tokens; cached tokens without a price cost what others cost."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None

    def of_input(self, usage: Usage) -> Decimal:
        """The price of *usage*'s input, which includes the cached tokens."""
        written = self.input if self.cache_write is None else self.cache_write
        parts = (
            (usage.cache_read or 0, self.input if self.cache_read is None else self.cache_read),
            (_short(usage), written),
            (_hour(usage), written if self.cache_write_1h is None else self.cache_write_1h),
        )
        rest = (usage.input_tokens or 0) - sum(tokens for tokens, _ in parts)
        if rest < 0:
            raise ValueError("more cached tokens than input")
        return sum((n * price for n, price in parts), rest * self.input) / _MILLION


def _hour(usage: Usage) -> int:
    return min(usage.cache_write_1h or 0, usage.cache_write or 0)


def _short(usage: Usage) -> int:
    return (usage.cache_write or 0) - _hour(usage)


Table = tuple[tuple[str, Price], ...]


def table_of(value: Any) -> Table:
    """The prices that *value* says: a mapping, or the path of a JSON file that holds one.

    Raises:
        ValueError: It is neither, or a price in it is no price; says which.
    """
    if isinstance(value, (str, Path)):
        value = _from_file(Path(value))
    if not isinstance(value, Mapping):
        raise ValueError(  # noqa: TRY004  # a setting
            "give a mapping of models to prices, or the path of a JSON file with one"
        )
    return tuple((str(model), _price(str(model), said)) for model, said in value.items())


def _from_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise ValueError(f"cannot read the file: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"the file is no JSON: {error}") from None


def _price(model: str, said: Any) -> Price:
    example = '{"input": 2.5, "output": 10, "cache_read": 1.25} in USD per million tokens'
    if not isinstance(said, Mapping) or not {"input", "output"} <= set(said) <= set(_KINDS):
        raise ValueError(
            f"the prices of {model!r} must look like {example}; "
            f"`input` and `output` are needed, of {', '.join(_KINDS)}"
        )
    return Price(**{kind: _amount(model, kind, amount) for kind, amount in said.items()})


def _amount(model: str, kind: str, amount: Any) -> Decimal:
    try:
        exact = Decimal(str(amount)) if not isinstance(amount, bool) else Decimal("NaN")
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"{kind} of {model!r} is {amount!r}, not a number of 0 or more")
    return exact


class Pricing:
    """Prices calls by *own* prices and, when *listed*, by the list of `genai-prices`.

    Raises:
        ImportError: The list is wanted and not installed.
    """

    def __init__(self, own: Table, *, listed: bool) -> None:
        self._own = dict(own)
        self._listed = listed
        self._found: dict[tuple[str, str], Any] = {}
        self._snapshot: Any = None
        if listed:
            _genai_prices()  # here, at start-up: it takes a part of a second

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pricing) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((self._listed, *self._own))

    def __getstate__(self) -> tuple[dict[str, Price], bool]:
        return self._own, self._listed

    def __setstate__(self, state: tuple[dict[str, Price], bool]) -> None:
        self.__init__(tuple(state[0].items()), listed=state[1])  # type: ignore[misc]

    def cost(self, provider: Provider, request_model: str | None, reading: Reading) -> Cost:
        """What a call cost that named *request_model* and answered *reading*.

        By the model that answered, else by the one that was asked.
        """
        usage = reading.usage
        if usage is None:
            return NO_USAGE
        models = [model for model in (reading.model, request_model) if model]
        try:
            for model in dict.fromkeys(models):
                cost = self._by_own(provider.name, model, usage)
                cost = cost or (self._by_list(provider, model, reading) if self._listed else None)
                if cost is not None:
                    return cost
        except ValueError:  # a count that the price needs is not there, or they contradict
            return NO_USAGE
        return Cost(missing=UNKNOWN_MODEL)

    def _by_own(self, provider: str, model: str, usage: Usage) -> Cost | None:
        price = self._own.get(f"{provider}/{model}") or self._own.get(model)
        if price is None:
            return None
        written = (usage.output_tokens or 0) * price.output / _MILLION
        return _known(usage, price.of_input(usage), written)

    def _by_list(self, provider: Provider, model: str, reading: Reading) -> Cost | None:
        usage = reading.usage
        listed = self._place(provider.price_list or provider.name, model)
        if usage is None or listed is None:
            return None
        if usage.input_tokens is None:
            raise ValueError("a price may depend on how long the input is")
        found = listed[1].calc_price(
            _listed_usage(usage), listed[0], price_context=_context(reading)
        )
        if found.total_price != found.input_price + found.output_price:
            return None  # a fee a request, for which the list has but the highest
        return _known(usage, found.input_price, found.output_price)

    def _place(self, provider: str, model: str) -> tuple[Any, Any] | None:
        """The provider and model in the list, None when it does not have them."""
        snapshot = _genai_prices().get_snapshot()
        if snapshot is not self._snapshot:
            self._snapshot, self._found = snapshot, {}
        key = (provider, model)
        if key not in self._found and len(self._found) < _MOST_FOUND:
            self._found[key] = _find(snapshot.providers, provider, model)
        return self._found.get(key)


def _find(providers: list[Any], provider: str, model: str) -> tuple[Any, Any] | None:
    listed = next((one for one in providers if one.id == provider), None)
    found = listed.find_model(model, all_providers=providers) if listed else None
    return None if found is None else (listed, found)


def _known(usage: Usage, read: Decimal, written: Decimal) -> Cost:
    whole = usage.input_tokens is not None and usage.output_tokens is not None
    return Cost(
        read if usage.input_tokens is not None else None,
        written if usage.output_tokens is not None else None,
        None if whole else USAGE_MISSING,
    )


def _context(reading: Reading) -> dict[str, str] | None:
    tier = reading.attributes.get(names.OPENAI_RESPONSE_SERVICE_TIER) or reading.attributes.get(
        names.SERVICE_TIER
    )
    return {"service_tier": tier} if isinstance(tier, str) else None


def _listed_usage(usage: Usage) -> Any:
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_reasoning_tokens": usage.reasoning,
    }
    for modality, tokens in usage.input_modalities.items():
        counts[f"input_{modality}_tokens"] = tokens
    for modality, tokens in usage.output_modalities.items():
        counts[f"output_{modality}_tokens"] = tokens
    return _genai_prices().types.Usage(**counts)


def _genai_prices() -> Any:
    try:
        from genai_prices import data_snapshot  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(f"replymeter: {_NEEDS}") from error
    return data_snapshot
