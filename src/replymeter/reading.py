"""What is known of one call: immutable, and None means "not reported".

Named tuples: a call makes six of them, and a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

_NOTHING: Mapping[str, int] = MappingProxyType({})


class Request(NamedTuple):
    """What a call asks for.

    `model` is None when neither the model nor the call names one. `parameters` are span
    attributes, ready to set. `max_tokens` is the limit on output tokens of each choice.
    """

    model: str | None = None
    streamed: bool = False
    choices: int = 1
    max_tokens: int | None = None
    parameters: Mapping[str, object] = _NOTHING


class Usage(NamedTuple):
    """The token counts that the provider reported for one call, shared by its choices.

    Input includes cached tokens, output includes reasoning, as in LangChain's
    `UsageMetadata`. `cache_write_1h` is the part of `cache_write` that is kept for an hour, at a
    price of its own. `*_modalities` split the whole where the provider did. `suspect` says
    that a stream repeated running totals, of which the last was taken.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    input_modalities: Mapping[str, int] = _NOTHING
    output_modalities: Mapping[str, int] = _NOTHING
    suspect: bool = False

    @property
    def unattributed(self) -> int | None:
        """Tokens of the total that neither input nor output accounts for; None when none."""
        if self.total_tokens is None or self.input_tokens is None or self.output_tokens is None:
            return None
        rest = self.total_tokens - self.input_tokens - self.output_tokens
        return rest if rest > 0 else None


class Choice(NamedTuple):
    """How one choice ended: the provider's word (None: it gave none) and the normalised one."""

    raw: str | None
    reason: str


class Block(NamedTuple):
    """One category that blocked, at stage `prompt` or `response`, and the provider's word."""

    stage: str
    category: str
    word: str | None = None


class Reading(NamedTuple):
    """What a reply says of itself.

    `usage` is None when the provider reported none. `attributes` are the rest of what its
    rows found, ready to set on the span. `rejected` names the places where a value was no
    count (negative, text, NaN, a bool, a list) and so was not taken.
    """

    usage: Usage | None = None
    choices: tuple[Choice, ...] = ()
    blocks: tuple[Block, ...] = ()
    model: str | None = None
    attributes: Mapping[str, object] = _NOTHING
    rejected: tuple[str, ...] = ()


class Failure(NamedTuple):
    """How a call failed: `type` from `conventions.ERROR_TYPES`, never the exception's text.

    `code` is the provider's own code, None when it gave none. `blocks` are what the error
    says was blocked.
    """

    type: str
    exception: str
    code: str | None = None
    blocks: tuple[Block, ...] = ()


class Timing(NamedTuple):
    """The clock of one call, in seconds. None: there was no such chunk.

    `writing` is the time from the first to the last chunk that carried text or a tool call,
    when there were two or more.
    """

    duration: float
    first_chunk: float | None = None
    writing: float | None = None


class Cost(NamedTuple):
    """What a call cost in US dollars; a part is None when it is not known, and `missing` why."""

    input: Decimal | None = None
    output: Decimal | None = None
    missing: str | None = None

    @property
    def total(self) -> Decimal | None:
        """Both parts together; None unless both are known."""
        return None if self.input is None or self.output is None else self.input + self.output


class Ending(NamedTuple):
    """One call, ended: what was asked, what came, how it ended and how long it took.

    `reasons` are the normal finish reasons of its choices; of a call without a choice, one.
    `cost` is None when nobody asked, or there was no usage to price.
    """

    outcome: str
    reasons: tuple[str, ...]
    request: Request
    reading: Reading
    timing: Timing
    failure: Failure | None = None
    cost: Cost | None = None
