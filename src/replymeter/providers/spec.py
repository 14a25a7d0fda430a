"""What a provider's file may say. A path is LangChain's own names, joined by dots.

A path starts at `usage_metadata`, `response_metadata` (LangChain's merge of `llm_output`,
`generation_info` and the message's own), `additional_kwargs` or `message_id` of one choice; `*`
stands for every item of a list or value of a dict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.language_models import BaseChatModel

    from replymeter.reading import Reading

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Field(NamedTuple):
    """A span attribute and the path of its value.

    `kind` is how the value is read: `word` (a short enum-like text), `name` (a text that
    somebody chose, cut at 256 characters), `seconds` (a number, times
    `scale`), `count` (how many items the path has), `mean` (of the numbers at the path).
    `mode` limits the row to `invoke` or `stream`, None is both.
    """

    attribute: str
    path: str
    kind: str = "word"
    scale: float = 1.0
    mode: str | None = None


class Parameter(NamedTuple):
    """A span attribute of the request: the first text at *paths* of the arguments or the model.

    Not when it says *unless*, what is so anyway.
    """

    attribute: str
    paths: tuple[str, ...]
    unless: str | None = None


class UsageSource(NamedTuple):
    """Where one shape of token counts has each number; several paths: the first non-zero one.

    A tuple inside the tuple is a sum of paths. `input_excludes_cache` says that cached tokens
    come beside the input and not within; `modalities` map a modality to its path.
    """

    input_tokens: tuple[str, ...] = ()
    output_tokens: tuple[str | tuple[str, ...], ...] = ()
    total_tokens: tuple[str, ...] = ()
    cache_read: tuple[str, ...] = ()
    cache_write: tuple[str | tuple[str, ...], ...] = ()
    cache_write_1h: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    input_excludes_cache: bool = False
    input_modalities: Mapping[str, str] = _NOTHING
    output_modalities: Mapping[str, str] = _NOTHING


class Blocks(NamedTuple):
    """Items at `path` that say that something was blocked.

    An item counts when its `when` key has one of `accepted` (no `when`: always). Its `word` key
    (None: the item itself) is the provider's word, or `said` where the path itself says it, which
    `categories` turns into a normal one; a word that stands there not counts as `default`, or
    not at all when that is None.
    """

    path: str
    stage: str
    word: str | None = None
    said: str | None = None
    when: str | None = None
    accepted: tuple[Any, ...] = (True,)
    categories: Mapping[str, str] = _NOTHING
    default: str | None = "other"


class ErrorText(NamedTuple):
    """A part of an exception's text that alone tells its `type`; the text is never exported.

    `stage` is where a `content_filter` blocked.
    """

    part: str
    type: str
    stage: str = "prompt"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Provider:
    """One provider's rows: how to recognise it, where its facts are, what its words mean.

    `price_list` is its id in genai-prices, when that is not its name.
    A model belongs to it by its class' `_llm_type`, else by its `ls_provider`. `speaks_for_hosts`
    marks classes that are used to call other providers' servers: there the host decides.
    In `hosts` a `*` stands for any text within one label. `urls` are paths of attributes of the
    model that hold the base URL. `own_attributes` rename neutral attributes to this provider's
    own in the conventions. `invented_zeros` are counts whose 0 is filled in by the SDK or
    LangChain's package when the server said nothing.
    `running_totals`: each count in a stream is the total so far, and the last one holds.
    `finish_reason` are paths,
    the first with a value is taken; `finish_reasons` normalises its words, `block_words` says
    what was blocked when a finish reason is all that says so. `error_codes` are the provider's
    own, or its exceptions' class names. Paths of `error_blocks` start at an exception's `body`;
    what they find makes it a `content_filter`. Named functions say what rows cannot: `calls` names
    the provider that a model calls through this one, `describe` gives more attributes of the first
    choice, `repair` corrects a reading, `prepare` gets
    a model ready once, `advice` is a sentence for the log on how a model is set up.
    """

    name: str
    source: str
    date: str
    price_list: str | None = None
    llm_types: tuple[str, ...] = ()
    ls_providers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    speaks_for_hosts: bool = False
    urls: tuple[str, ...] = ()
    request_model: tuple[str, ...] = ("model", "model_name", "model_id")
    parameters: tuple[Parameter, ...] = ()
    fields: tuple[Field, ...] = ()
    own_attributes: Mapping[str, str] = field(default_factory=dict)
    usage: tuple[UsageSource, ...] = ()
    invented_zeros: tuple[str, ...] = ()
    running_totals: bool = False
    finish_reason: tuple[str, ...] = ("response_metadata.finish_reason",)
    finish_reasons: Mapping[str, str] = field(default_factory=dict)
    ignored_reasons: tuple[str, ...] = ()
    blocks: tuple[Blocks, ...] = ()
    block_words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    error_codes: Mapping[str, str] = field(default_factory=dict)
    error_texts: tuple[ErrorText, ...] = ()
    error_blocks: tuple[Blocks, ...] = ()
    calls: Callable[[BaseChatModel], str | None] | None = None
    describe: Callable[[Mapping[str, Any]], Mapping[str, object]] | None = None
    repair: Callable[[Reading, Mapping[str, Any]], Reading] | None = None
    prepare: Callable[[BaseChatModel], None] | None = None
    advice: Callable[[BaseChatModel], str | None] | None = None

    def possible_blocks(self) -> tuple[tuple[str, str], ...]:
        """Every (stage, category) that these rows can yield."""
        pairs = [("response", "refusal"), ("response", "other"), ("prompt", "other")]
        for row in (*self.blocks, *self.error_blocks):
            categories = (*row.categories.values(), row.default)
            pairs += [(row.stage, category) for category in categories if category]
        return tuple(dict.fromkeys([*pairs, *self.block_words.values()]))
