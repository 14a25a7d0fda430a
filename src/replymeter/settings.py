"""How a model is instrumented: each setting, its variable, its default. One table.

An argument of `instrument` wins over the variable, the variable over the default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from replymeter import conventions as names
from replymeter.cost import Pricing, table_of
from replymeter.log import LOG
from replymeter.paths import word

Redact = Callable[[str, Any], Any]

CONVERSATION_KEYS = ("thread_id", "session_id", "conversation_id")
MOST_LABELS = 5
_MODES = ("no_content", "span_only", "event_only", "span_and_event")

_LABEL = re.compile(r"[a-z][a-z0-9_.]{0,62}")
_TAKEN = ("gen_ai.", "replymeter.", "openai.", "aws.", "server.", "error.", "otel.", "service.")
_TAKEN_BY_PROMETHEUS = ("job", "instance", "le", "quantile")


class Capture(NamedTuple):
    """Where content goes, how many characters of JSON an attribute may have, who redacts it."""

    on_span: bool
    on_event: bool
    limit: int
    redact: Redact | None = None


class Settings(NamedTuple):
    """How a model is instrumented; `SETTINGS` says what each means."""

    provider: str | None = None
    chunk_timing: bool = False
    older_metrics: bool = False
    pricing: Pricing | None = None
    labels: tuple[tuple[str, str], ...] = ()
    conversation_keys: tuple[str, ...] = CONVERSATION_KEYS
    content: Capture | None = None
    own_span: bool = True
    model_cap: int = names.LABEL_CAP


class Setting(NamedTuple):
    """One setting: its argument, its variable, its default in words, and what it does.

    `read` turns a value, of the argument or of the variable, into what is kept; it raises
    `ValueError` with what is allowed. A `shared` variable is not only Replymeter's: what is not
    allowed there is a log line, and the default.
    """

    argument: str
    variable: str
    default: str
    meaning: str
    read: Callable[[Any], Any]
    shared: bool = False


def _name(value: Any) -> str:
    if word(value) is None or not value.strip():
        raise ValueError("give a name of 1 to 64 characters of A-Za-z0-9_.:/ -, or None")
    return str(value)


def _flag(value: Any) -> bool:
    said = {"true": True, "false": False}.get(str(value).strip().lower())
    if said is None:
        raise ValueError("give True or False")
    return said


def _list(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("give a list of names")
    return tuple(item.strip() for item in items if item.strip())


def _labels(value: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        value = dict(pair.partition("=")[::2] for pair in _list(value))
    if not isinstance(value, Mapping):
        raise ValueError("give a mapping of names to values, or `a=b,c=d`")  # noqa: TRY004
    if len(value) > MOST_LABELS:
        raise ValueError(f"{len(value)} labels; {MOST_LABELS} at most, each multiplies the series")
    return tuple(sorted(_label(name, said) for name, said in value.items()))


def _label(name: Any, value: Any) -> tuple[str, str]:
    if not isinstance(name, str) or not _LABEL.fullmatch(name):
        raise ValueError(f"label {name!r}: a name is lower-case letters, digits, `_` and `.`")
    if name.startswith(_TAKEN) or name in _TAKEN_BY_PROMETHEUS or name in names.ATTRIBUTES:
        raise ValueError(f"label {name!r}: the name is taken, choose another")
    if value == "":
        raise ValueError(f"label {name!r} has no value; give it one as in `team=search`")
    if word(value) is None:
        raise ValueError(f"label {name!r}: a value is 1 to 64 characters of A-Za-z0-9_.:/ -")
    return name, value


def _mode(value: Any) -> str:
    said = value.strip().lower() if isinstance(value, str) else None
    if said not in _MODES:
        raise ValueError(f"give one of {', '.join(_MODES)}")
    return said


def _whole(value: Any) -> int:
    try:
        said = int(value) if isinstance(value, (int, str)) else 0
    except ValueError:
        said = 0
    if said < 1 or isinstance(value, bool):
        raise ValueError("give a whole number of 1 or more")
    return said


def _function(value: Any) -> Callable[..., Any]:
    if isinstance(value, str):
        module, _, name = value.partition(":")
        try:
            value = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"there is no such `module:function`: {error}") from None
    if not callable(value):
        raise ValueError("give a function, or `module:function`")  # noqa: TRY004
    function: Callable[..., Any] = value
    return function


SETTINGS = (
    Setting(
        "provider",
        "REPLYMETER_PROVIDER",
        "found by class and host",
        "`gen_ai.provider.name`, where a gateway hides who serves the model.",
        _name,
    ),
    Setting(
        "chunk_timing",
        "REPLYMETER_CHUNK_TIMING",
        "`false`",
        "Record the time of each later chunk of a stream, too; costs about as much as all else "
        "together.",
        _flag,
    ),
    Setting(
        "cost",
        "REPLYMETER_COST",
        "`false`",
        "Price calls by the list prices of `genai-prices` (`pip install 'replymeter[cost]'`).",
        _flag,
    ),
    Setting(
        "prices",
        "REPLYMETER_PRICES",
        "none",
        "Prices of your own: a mapping, or the path of a JSON file with one. They come before the "
        "list prices, and work without them.",
        table_of,
    ),
    Setting(
        "older_metrics",
        "REPLYMETER_OLDER_METRICS",
        "`false`",
        "Also record `gen_ai.client.token.usage` and `gen_ai.client.operation.duration`, for "
        "dashboards that you have already.",
        _flag,
    ),
    Setting(
        "labels",
        "REPLYMETER_LABELS",
        "none",
        f"Labels of your own on every metric and span, at most {MOST_LABELS}: a mapping, or "
        "`team=search,tier=free`.",
        _labels,
    ),
    Setting(
        "model_cap",
        "REPLYMETER_MODEL_CAP",
        f"{names.LABEL_CAP}",
        "The first so many request models of a process, and response models, have their name on "
        "metrics; the rest are `other`.",
        _whole,
    ),
    Setting(
        "own_span",
        "REPLYMETER_OWN_SPAN",
        "`true`",
        "`false`: make no span, and put the attributes on that of another LangChain "
        "instrumentation.",
        _flag,
    ),
    Setting(
        "conversation_keys",
        "REPLYMETER_CONVERSATION_KEYS",
        ", ".join(f"`{key}`" for key in CONVERSATION_KEYS),
        "Keys of `RunnableConfig`'s metadata, of which the first with something like an id is "
        "`gen_ai.conversation.id` on the span; an empty list: none.",
        _list,
    ),
    Setting(
        "capture_content",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        "`no_content`",
        "Where what people and models wrote goes: `no_content`, `span_only`, `event_only`, "
        "`span_and_event`.",
        _mode,
        shared=True,
    ),
    Setting(
        "content_limit",
        "REPLYMETER_CONTENT_LIMIT",
        "16384",
        "Characters of each attribute with content, at most; what is longer is cut, and stays "
        "valid JSON.",
        _whole,
    ),
    Setting(
        "redact",
        "REPLYMETER_REDACT",
        "none",
        "A function, or `module:function`, that is given the name and the value of each attribute "
        "with content and returns what may be recorded (None: nothing). When it raises, no content "
        "is.",
        _function,
    ),
)
"""Every setting, in the order of the documentation."""


def settings_of(arguments: Mapping[str, Any]) -> Settings:
    """The settings that *arguments* of `instrument` (None: not given) and the variables make.

    Raises:
        ValueError: A value is not allowed; says whose, and what is.
        ImportError: Something needs a package that is not installed; says how to install it.
    """
    given = {
        setting.argument: value
        for setting in SETTINGS
        if (value := _value(setting, arguments.get(setting.argument))) is not None
    }
    cost, prices = given.pop("cost", False), given.pop("prices", None)
    if cost or prices:
        given["pricing"] = Pricing(prices or (), listed=cost)
    mode, redact = given.pop("capture_content", _MODES[0]), given.pop("redact", None)
    limit = given.pop("content_limit", 16_384)
    if mode != _MODES[0]:
        given["content"] = Capture("span" in mode, "event" in mode, limit, redact)
    return Settings(**given)


def _value(setting: Setting, argument: Any) -> Any:
    value, where = argument, f"replymeter.instrument({setting.argument}={argument!r})"
    if value is None:
        value = os.environ.get(setting.variable, "").strip()
        where = f"{setting.variable}={value}"
        if not value:
            return None
    try:
        return setting.read(value)
    except ValueError as error:
        if setting.shared and argument is None:
            LOG.warning("replymeter: %s: %s; the default is taken.", where, error)
            return None
        raise ValueError(f"{where}: {error}") from None
