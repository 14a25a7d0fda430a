"""`instrument` and `uninstrument`: find the models in what is given, wrap their class, mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from langchain_core.language_models import BaseChatModel

from replymeter.configurable import follow_configurable, unfollow_configurable
from replymeter.find import bypassing, models_in
from replymeter.marks import MARK, Instrumentation, Mark, mark_of
from replymeter.pickling import follow_pickle
from replymeter.settings import settings_of
from replymeter.telemetry import telemetry_of
from replymeter.wrap import anything_wrapped, unwrap_class, unwrap_tree, wrap_class, wrap_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from replymeter.settings import Redact

    Prices = Mapping[str, Mapping[str, float | Decimal]]

T = TypeVar("T")
P = TypeVar("P")

_NOTHING_FOUND = (
    "replymeter.{verb}() was given {what}, which is no chat model and holds none that can be "
    "found. Give it a langchain_core BaseChatModel, a runnable or list that holds one, or a chat "
    "model class. A model inside a function or a compiled graph cannot be reached: instrument it "
    "before you build the graph. One that is made later, from a name or a configuration, is "
    "reached by its class, or by BaseChatModel, which is every class."
)

_BYPASSED = (
    "replymeter: {0}.{1} is its own and, as far as can be told, calls none of LangChain's methods "
    "that are measured: its calls will not be seen. Calls that go through _generate or _stream are."
)


def instrument(  # noqa: PLR0913  # a setting is an argument
    llm: T,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    provider: str | None = None,
    chunk_timing: bool | None = None,
    cost: bool | None = None,
    prices: Prices | str | Path | None = None,
    older_metrics: bool | None = None,
    labels: Mapping[str, str] | None = None,
    conversation_keys: Sequence[str] | None = None,
    model_cap: int | None = None,
    own_span: bool | None = None,
    capture_content: str | None = None,
    content_limit: int | None = None,
    redact: Redact | str | None = None,
    logger_provider: LoggerProvider | None = None,
) -> T:
    """Send the metadata of every reply of *llm* to OpenTelemetry from now on.

    Args:
        llm: A chat model, anything that holds one (bound, retried, with fallbacks, configurable,
            a chain, a list), or a chat model class: then every instance of it and of its
            subclasses, also of those to come.
        tracer_provider: Where spans go; None is the global provider, also one set later.
        meter_provider: Where metrics go; None is the global provider, also one set later.
        provider: `gen_ai.provider.name`, where a gateway hides who serves the model. None: found
            by the model's class and the host that it calls.
        chunk_timing: Record the time of each later chunk of a stream, too; costs about as much
            as all else together.
        cost: Price each call by the list of `genai-prices`.
        prices: Prices of your own, which come before the list: of each model, US dollars per
            million tokens of `input` and `output`, and of `cache_read`, `cache_write` and
            `cache_write_1h` where they differ. Or the path of a JSON file that holds them.
        older_metrics: Also record the metrics of older conventions.
        labels: Labels of your own on every metric and span; at most 5.
        conversation_keys: Keys of `RunnableConfig`'s metadata, of which the first with something
            like an id is `gen_ai.conversation.id` on the span.
        model_cap: How many request models of this process, and response models, have their name
            on metrics; the rest are `other`.
        own_span: False: make no span, and put the attributes on that of another LangChain
            instrumentation (OpenInference, OpenLLMetry, OpenTelemetry's), where there is one.
        capture_content: Record what people and models wrote: `span_only`, `event_only`,
            `span_and_event` or `no_content`.
        content_limit: Characters of each attribute with content, at most.
        redact: Given the name and the value of each attribute with content, returns what may be
            recorded; None: nothing. When it raises, no content is recorded.
        logger_provider: Where events with content go; None is the global provider.

    What is None is taken from its variable, `REPLYMETER_CHUNK_TIMING` and so on: docs/settings.md.

    Returns:
        *llm* itself.

    Raises:
        TypeError: There is no chat model in *llm*, or a provider of OpenTelemetry is none.
        ValueError: A setting has a value that is not allowed.
        ImportError: *cost* is wanted and `genai-prices` is not installed.
    """
    settings = settings_of(locals())  # by the names of the arguments
    telemetry = telemetry_of(
        _provider_or_error(tracer_provider, "tracer"),
        _provider_or_error(meter_provider, "meter"),
        _provider_or_error(logger_provider, "logger"),
    )
    if isinstance(llm, type) and issubclass(llm, BaseChatModel):
        wrap_tree(llm, Instrumentation(settings, telemetry))
    else:
        for model in _models_or_error(llm, "instrument"):
            _mark(model, Instrumentation(settings, telemetry))
    follow_configurable()
    follow_pickle()
    return llm


def uninstrument(llm: T) -> T:
    """Undo `instrument` for *llm* and the copies made of it; what is not instrumented stays so.

    A class is as it was when none of its instances is instrumented any more.

    Raises:
        TypeError: There is no chat model in *llm*.
    """
    if isinstance(llm, type) and issubclass(llm, BaseChatModel):
        unwrap_tree(llm)
    else:
        for model in _models_or_error(llm, "uninstrument"):
            mark = model.__dict__.pop(MARK, None)
            if mark is not None:
                mark.instrumentation.active = False
                unwrap_class(type(model), mark.instrumentation)
    if not anything_wrapped():
        unfollow_configurable()
    return llm


def _provider_or_error(provider: P, kind: str) -> P:
    if provider is None or hasattr(provider, f"get_{kind}"):
        return provider
    raise TypeError(
        f"replymeter.instrument({kind}_provider={provider!r}): give an OpenTelemetry "
        f"{kind.capitalize()}Provider, or None for the global one"
    )


def _mark(model: BaseChatModel, made: Instrumentation) -> None:
    earlier = mark_of(model)
    if earlier is not None:
        same = earlier.instrumentation
        if (same.settings, same.telemetry) == (made.settings, made.telemetry):
            return
    wrap_class(type(model), made)
    mark = model.__dict__[MARK] = Mark(type(model), made)
    for name in bypassing(type(model)):
        made.telemetry.warn_once(_BYPASSED.format(type(model).__qualname__, name))
    try:
        target = mark.aim(model)
        advice = target.provider.advice(model) if target.provider.advice else None
        if advice:
            made.telemetry.warn_once(f"replymeter: {advice}")
    except Exception as error:  # noqa: BLE001  # found again, or counted, at the first call
        made.telemetry.failed("begin", error)


def _models_or_error(llm: object, verb: str) -> list[BaseChatModel]:
    models = models_in(llm)
    if not models:
        raise TypeError(_NOTHING_FOUND.format(verb=verb, what=f"a {type(llm).__qualname__}"))
    return models
