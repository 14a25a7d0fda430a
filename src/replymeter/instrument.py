"""`instrument` and `uninstrument`: find the models in what is given, wrap their class, mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from langchain_core.language_models import BaseChatModel

from replymeter.configurable import follow_configurable, unfollow_configurable
from replymeter.find import models_in
from replymeter.marks import MARK, Instrumentation, Mark, Settings, mark_of
from replymeter.pickling import follow_pickle
from replymeter.telemetry import telemetry_of
from replymeter.wrap import anything_wrapped, unwrap_class, unwrap_tree, wrap_class, wrap_tree

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

T = TypeVar("T")

_NOTHING_FOUND = (
    "replymeter.{verb}() was given {what}, which is no chat model and holds none that can be "
    "found. Give it a langchain_core BaseChatModel, a runnable or list that holds one, or a chat "
    "model class. A model inside a function or a compiled graph cannot be reached: instrument it "
    "before you build the graph. One that is made later, from a name or a configuration, is "
    "reached by its class, or by BaseChatModel, which is every class."
)


def instrument(
    llm: T,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    provider: str | None = None,
    chunk_timing: bool = False,
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

    Returns:
        *llm* itself.

    Raises:
        TypeError: There is no chat model in *llm*.
        ValueError: *provider* is neither None nor a text that says something.
    """
    settings = Settings(provider=_name_or_error(provider), chunk_timing=chunk_timing)
    telemetry = telemetry_of(tracer_provider, meter_provider)
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


def _name_or_error(provider: object) -> str | None:
    if provider is None or (isinstance(provider, str) and provider.strip()):
        return provider
    raise ValueError(f"replymeter.instrument(provider={provider!r}): give a name, or None")


def _mark(model: BaseChatModel, made: Instrumentation) -> None:
    earlier = mark_of(model)
    if earlier is not None:
        same = earlier.instrumentation
        if (same.settings, same.telemetry) == (made.settings, made.telemetry):
            return
    wrap_class(type(model), made)
    mark = model.__dict__[MARK] = Mark(type(model), made)
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
