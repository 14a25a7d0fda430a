"""From a model and the arguments of one call to a `Request`: by rows, without asking the model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from replymeter.layers import run_manager
from replymeter.paths import count, name, number, value_at, word
from replymeter.reading import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

    from replymeter.providers.spec import Provider


def _texts(value: Any) -> tuple[str, ...] | None:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)):
        return None
    return tuple(text for value in values[:16] if (text := name(value))) or None


def _output_type(value: Any) -> str | None:
    said = value.get("type") if isinstance(value, Mapping) else value
    if isinstance(said, type) or said in ("json_object", "json_schema", "application/json"):
        return "json"
    return "text" if said in ("text", "text/plain") else None


# Attribute, what reads its value, and the names that LangChain's packages give it, as a call's
# argument or as the model's attribute.
PARAMETERS: tuple[tuple[str, Callable[[Any], Any], tuple[str, ...]], ...] = (
    (
        names.REQUEST_MAX_TOKENS,
        count,
        (
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "max_tokens_to_sample",
            "num_predict",
        ),
    ),
    (names.REQUEST_TEMPERATURE, number, ("temperature",)),
    (names.REQUEST_TOP_P, number, ("top_p",)),
    (names.REQUEST_TOP_K, count, ("top_k",)),
    (names.REQUEST_SEED, count, ("seed", "random_seed")),
    (names.REQUEST_FREQUENCY_PENALTY, number, ("frequency_penalty",)),
    (names.REQUEST_PRESENCE_PENALTY, number, ("presence_penalty",)),
    (names.REQUEST_STOP_SEQUENCES, _texts, ("stop", "stop_sequences")),
    (names.REQUEST_CHOICE_COUNT, count, ("n", "candidate_count")),
    (names.REQUEST_REASONING_LEVEL, word, ("reasoning_effort", "effort")),
    (names.OUTPUT_TYPE, _output_type, ("response_format", "response_mime_type")),
    (names.REQUEST_PREVIOUS_RESPONSE_ID, word, ("previous_response_id",)),
)
_LONGEST_ID = 128  # bits, as a UUID's
_READERS = {attribute: reader for attribute, reader, _ in PARAMETERS}
_SPELLINGS = {spelling: attribute for attribute, _, many in PARAMETERS for spelling in many}
_RANK = {spelling: rank for rank, spelling in enumerate(_SPELLINGS)}.__getitem__


def read_request(
    model: BaseChatModel, arguments: Mapping[str, Any], provider: Provider, *, streamed: bool
) -> Request:
    """What the call of *model* with *arguments* (`_generate`'s keywords) asks for."""
    state = model.__dict__
    extra = state.get("model_kwargs")
    sources = (arguments, state) if not isinstance(extra, Mapping) else (arguments, extra, state)
    parameters = _parameters(sources)
    for row in provider.parameters:
        chosen = _text_at(sources, row.paths)
        if chosen is not None and chosen != row.unless:
            parameters[row.attribute] = chosen
    choices = parameters.get(names.REQUEST_CHOICE_COUNT) or 1
    if choices == 1:
        parameters.pop(names.REQUEST_CHOICE_COUNT, None)
    return Request(
        model=request_model(model, arguments, provider),
        streamed=streamed,
        choices=choices,
        max_tokens=parameters.get(names.REQUEST_MAX_TOKENS),
        parameters=parameters,
    )


def _parameters(sources: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}  # of each attribute the first spelling that the first source has
    for source in sources:
        for spelling in _spellings(tuple(source)):
            value, attribute = source.get(spelling), _SPELLINGS[spelling]
            if value is not None and attribute not in chosen:
                chosen[attribute] = value
    read = {attribute: _READERS[attribute](value) for attribute, value in chosen.items()}
    return {attribute: value for attribute, value in read.items() if value is not None}


@lru_cache(maxsize=256)  # the fields of a class, the keywords of a call
def _spellings(there: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(_SPELLINGS.keys() & there, key=_RANK))


def _text_at(sources: tuple[Mapping[str, Any], ...], paths: tuple[str, ...]) -> str | None:
    for source in sources:
        for path in paths:
            if said := name(value_at(source, path)):
                return said
    return None


def conversation_id(arguments: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first of *keys* in the metadata of the call's `RunnableConfig` that is like an id.

    An e-mail address, say, is none. LangGraph adds its `thread_id` to the metadata.
    """
    manager = run_manager(arguments) if keys else None
    metadata = getattr(manager, "metadata", None)
    if not metadata:
        return None
    for key in keys:
        value = metadata.get(key)
        if type(value) is int and value.bit_length() <= _LONGEST_ID:
            value = str(value)
        if said := word(value):
            return said
    return None


def request_model(
    model: BaseChatModel, arguments: Mapping[str, Any], provider: Provider
) -> str | None:
    """The model that the request names, None when there is no such name."""
    value = _first((arguments, model.__dict__), provider.request_model)
    if value is None:
        value = model._get_ls_params(**arguments).get("ls_model_name")  # noqa: SLF001
    named = name(value)
    if named is None or "://" in named or not named.isprintable():
        return None  # the URL of an endpoint is no name, and a line is none
    return named


def _first(sources: tuple[Mapping[str, Any], ...], spellings: tuple[str, ...]) -> Any:
    for source in sources:
        for spelling in spellings:
            value = source.get(spelling)
            if value is not None:
                return value
    return None
