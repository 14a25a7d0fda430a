"""An instrumented model is the same model: its mark shows nowhere and comes off cleanly."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.embeddings import FakeEmbeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumps
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, Runnable, RunnableLambda
from langchain_core.runnables.configurable import (
    RunnableConfigurableAlternatives,
    RunnableConfigurableFields,
)

import replymeter
from replymeter import conventions as names
from tests.fakes import (
    OK,
    AsyncModel,
    AsyncStreamModel,
    CallsSuper,
    EventModel,
    StreamModel,
    StreamsInside,
    SyncModel,
    endings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

CLASSES = (
    SyncModel,
    AsyncModel,
    StreamModel,
    AsyncStreamModel,
    StreamsInside,
    CallsSuper,
    EventModel,
)


def openai(**kwargs: Any) -> BaseChatModel:
    """A model that LangChain can serialise."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(**{"api_key": "not-a-key", "stream_usage": True, **kwargs})


@pytest.mark.parametrize("make", [openai, SyncModel])
def test_the_mark_shows_nowhere(make: Callable[[], Any], instrument: Instrument) -> None:
    """Equality, fields, repr, serialised form and cache key are those of a bare model."""

    def faces(llm: Any) -> list[Any]:
        return [
            llm.asdict(),
            llm.model_dump(exclude={"answer"}),
            sorted(llm.model_fields_set),
            dumps(llm),
            llm._get_llm_string(stop=["."]),
            repr(llm),
            llm.get_input_jsonschema(),
        ]

    bare = make()
    shallow = bare.model_copy()
    before = faces(bare)
    assert instrument(bare) is bare
    assert faces(bare) == before
    assert bare == shallow
    assert shallow == bare


@pytest.mark.parametrize("method", ["_stream", "_astream", "_agenerate"])
def test_capabilities_are_those_of_the_class(method: str, instrument: Instrument) -> None:
    """What a class does not override stays LangChain's own: its checks see no difference."""
    instrument(SyncModel())
    assert getattr(SyncModel, method) is getattr(BaseChatModel, method)


def test_another_instance_of_the_class_emits_nothing(
    instrument: Instrument, captured: Captured
) -> None:
    """Only what was given to `instrument` is measured."""
    instrument(SyncModel())
    SyncModel().invoke("x")
    assert captured.spans == ()


def test_twice_is_once(instrument: Instrument, captured: Captured) -> None:
    """`instrument` is idempotent, and other settings replace the first."""
    llm = instrument(instrument(SyncModel()))
    llm.invoke("x")
    instrument(llm, provider="acme")
    llm.invoke("x")
    assert endings(captured) == [OK, OK]
    providers = [(span.attributes or {})[names.PROVIDER_NAME] for span in captured.spans]
    assert providers == ["syncmodel", "acme"]


@pytest.mark.parametrize("model_class", CLASSES)
def test_uninstrument_leaves_no_trace(
    model_class: type[BaseChatModel], instrument: Instrument, captured: Captured
) -> None:
    """The class, LangChain's configurable classes and the instance are as they were."""
    touched = (
        *CLASSES,
        BaseChatModel,
        RunnableConfigurableFields,
        RunnableConfigurableAlternatives,
    )
    before = [dict(vars(one)) for one in touched]
    llm = model_class()
    llm.invoke("x")
    state = dict(vars(llm))
    instrument(llm)
    instrument(SyncModel)
    llm.invoke("x")
    assert replymeter.uninstrument(llm) is llm
    assert replymeter.uninstrument(SyncModel) is SyncModel
    assert [dict(vars(one)) for one in touched] == before
    assert dict(vars(llm)) == state
    llm.invoke("x")
    assert len(captured.spans) == 1


def test_uninstrument_reaches_copies_and_no_others(
    instrument: Instrument, captured: Captured
) -> None:
    """A copy is switched off with its origin; another instance goes on; once more is nothing."""
    llm, other = instrument(SyncModel()), instrument(SyncModel(model="other"))
    copied = llm.model_copy()
    replymeter.uninstrument(replymeter.uninstrument(llm))
    for one in (llm, copied, other):
        one.invoke("x")
    assert [span.name for span in captured.spans] == ["chat other"]
    instrument(llm).invoke("x")
    assert endings(captured) == [OK, OK]


def test_a_copy_that_was_switched_off_stays_so_through_pickle(
    instrument: Instrument, captured: Captured
) -> None:
    """Neither the unpickled model nor its class is instrumented again."""
    llm = instrument(SyncModel())
    copied = llm.model_copy()
    replymeter.uninstrument(llm)
    before = dict(vars(SyncModel))
    pickle.loads(pickle.dumps(copied)).invoke("x")  # noqa: S301
    assert dict(vars(SyncModel)) == before
    assert captured.spans == ()


def test_parents_and_children_come_off_in_any_order(
    instrument: Instrument, captured: Captured
) -> None:
    """A class that inherits a wrapped method is counted once, also when its parent is unwrapped."""
    parent, child = instrument(StreamModel()), instrument(AsyncStreamModel())
    child.invoke("x")
    replymeter.uninstrument(parent)
    parent.invoke("x")
    child.invoke("x")
    replymeter.uninstrument(child)
    child.invoke("x")
    assert endings(captured) == [OK, OK]
    assert "_stream" not in vars(AsyncStreamModel)


def test_a_class_is_every_instance_of_it(instrument: Instrument, captured: Captured) -> None:
    """Instances made before and after `instrument(Class)` are measured, until it is undone."""
    early = SyncModel()
    assert instrument(SyncModel) is SyncModel
    early.invoke("x")
    SyncModel().invoke("x")
    instrument(SyncModel())
    SyncModel().invoke("x")
    replymeter.uninstrument(SyncModel)
    early.invoke("x")
    assert endings(captured) == [OK, OK, OK]


async def test_a_class_is_every_instance_of_its_subclasses(
    instrument: Instrument, captured: Captured
) -> None:
    """A subclass with methods of its own is measured, as one without is."""
    instrument(SyncModel)
    CallsSuper().invoke("x")
    await AsyncModel().ainvoke("x")
    assert endings(captured) == [OK, OK]


def held(llm: BaseChatModel) -> list[Any]:
    """Things that hold *llm*."""
    chain = ChatPromptTemplate.from_template("{x}") | llm | StrOutputParser()
    return [
        [llm],
        (llm, llm),
        {"small": llm},
        {"deep": [{"er": (llm.bind(stop=["."]),)}]},
        chain,
        [chain, llm],
        llm.with_retry().with_fallbacks([SyncModel()]),
    ]


@pytest.mark.parametrize("index", range(7))
def test_what_holds_a_model_will_do(index: int, instrument: Instrument, captured: Captured) -> None:
    """Lists, dicts and chains are searched, and given back."""
    llm = SyncModel()
    thing = held(llm)[index]
    assert instrument(thing) is thing
    llm.invoke("x")
    replymeter.uninstrument(thing)
    llm.invoke("x")
    assert endings(captured) == [OK]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (None, "a NoneType"),
        ("gpt-5-mini", "a str"),
        (FakeEmbeddings(size=3), "a FakeEmbeddings"),
        (RunnableLambda(lambda x: SyncModel().invoke(x)), "a RunnableLambda"),
        (Runnable, "a ABCMeta"),
        ([], "a list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("verb", ["instrument", "uninstrument"])
def test_what_holds_no_model_is_refused(given: Any, what: str, verb: str) -> None:
    """The error says what was given, what is wanted, and what to do about graphs."""
    with pytest.raises(TypeError) as raised:
        getattr(replymeter, verb)(given)
    text = str(raised.value)
    assert f"replymeter.{verb}() was given {what}" in text
    assert "Give it a langchain_core BaseChatModel" in text
    assert "before you build the graph" in text


def test_an_empty_provider_is_refused() -> None:
    """A provider's name has something in it."""
    with pytest.raises(ValueError, match="provider="):
        replymeter.instrument(SyncModel(), provider="  ")


def test_an_alternative_that_nobody_instrumented_stays_so(
    instrument: Instrument, captured: Captured
) -> None:
    """An instance given as an alternative later was not given to `instrument`."""
    llm = instrument(SyncModel()).configurable_alternatives(
        ConfigurableField(id="model"), other=SyncModel(model="other")
    )
    llm.invoke("x", {"configurable": {"model": "other"}})
    assert captured.spans == ()


def test_the_base_class_is_every_chat_model(instrument: Instrument, captured: Captured) -> None:
    """`instrument(BaseChatModel)` reaches every class there is, and one that comes later."""
    instrument(BaseChatModel)

    class Later(SyncModel):
        """Comes after."""

        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            return super()._generate(*args, **kwargs)

    SyncModel().invoke("x")
    Later().invoke("x")
    assert endings(captured) == [OK, OK]

    replymeter.uninstrument(BaseChatModel)
    Later().invoke("x")
    assert endings(captured) == [OK, OK]
    assert "__replymeter_original__" not in vars(Later._generate)
