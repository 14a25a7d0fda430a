"""However a model is used, each provider call is one span and counted once."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda, RunnableParallel
from langgraph.graph import END, START, MessagesState, StateGraph
from opentelemetry import metrics, trace

import replymeter
from replymeter import conventions as names
from replymeter.testing import capture_telemetry
from tests.fakes import OK, AsyncStreamModel, EventModel, StreamModel, SyncModel, endings

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

# The typed event streams are in beta.
pytestmark = pytest.mark.filterwarnings(
    "ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"
)

STRUCTURE = {"title": "Answer", "description": "An answer.", "type": "object", "properties": {}}


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"rain in {city}"


def graph(llm: BaseChatModel) -> Any:
    """A graph of one node, which calls *llm* as the graph is called."""

    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [llm.invoke(state["messages"])]}

    async def anode(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await llm.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", RunnableLambda(node, anode))
    builder.add_edge(START, "chat")
    builder.add_edge("chat", END)
    return builder.compile()


def with_temperature(llm: BaseChatModel) -> Any:
    """*llm* with a field that the call's configuration sets, so that it is built again."""
    fields = llm.configurable_fields(temperature=ConfigurableField(id="temperature"))
    return fields.with_config(configurable={"temperature": 0.5})


def alternative(llm: BaseChatModel, which: str) -> Any:
    """*llm* and two other models, of which the configuration picks *which*."""
    others = {"other": AsyncStreamModel(model="other"), "made": AsyncStreamModel}
    configurable = llm.configurable_alternatives(ConfigurableField(id="model"), **others)  # type: ignore[arg-type]
    return configurable.with_config(configurable={"model": which})


# What holds the model so that `instrument` finds it there.
HOLDERS: dict[str, Callable[[BaseChatModel], Any]] = {
    "plain": lambda llm: llm,
    "bind": lambda llm: llm.bind(stop=["."]),
    "bind_tools": lambda llm: llm.bind_tools([weather]),
    "structured": lambda llm: llm.with_structured_output(STRUCTURE),
    "retry": lambda llm: llm.with_retry(),
    "fallbacks": lambda llm: llm.with_fallbacks([SyncModel()]),
    "config": lambda llm: llm.with_config(tags=["x"]),
    "fields": with_temperature,
    "alternatives, default": lambda llm: alternative(llm, "default"),
    "alternatives, made": lambda llm: alternative(llm, "made"),
    "chain": lambda llm: ChatPromptTemplate.from_template("{x}") | llm | StrOutputParser(),
    "parallel": lambda llm: RunnableParallel(answer=llm),
    "fields of bound of retried": lambda llm: with_temperature(llm).bind(stop=["."]).with_retry(),
}
HOLDERS_LATER: dict[str, Callable[[BaseChatModel], Any]] = {
    **HOLDERS,
    "alternatives, other": lambda llm: alternative(llm, "other"),
}
# What keeps the mark of a model that was instrumented before.
KEEPERS: dict[str, Callable[[BaseChatModel], Any]] = {
    **HOLDERS,
    "shallow copy": lambda llm: llm.model_copy(),
    "deep copy": lambda llm: llm.model_copy(deep=True),
    "updated copy": lambda llm: llm.model_copy(update={"temperature": 0.5}),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda llm: pickle.loads(pickle.dumps(llm)),  # noqa: S301
    "function": lambda llm: RunnableLambda(llm.invoke),
}
HELLO = {"x": "hello"}


def prompt(use: str) -> Any:
    """What the runnable of *use* takes."""
    return HELLO if use == "chain" else "hello"


async def drive(runnable: Any, mode: str, given: Any) -> None:
    """Call *runnable* once, or with a list of one, in *mode*."""
    if mode == "invoke":
        runnable.invoke(given)
    elif mode == "ainvoke":
        await runnable.ainvoke(given)
    elif mode == "stream":
        list(runnable.stream(given))
    elif mode == "astream":
        [_ async for _ in runnable.astream(given)]
    elif mode == "batch":
        runnable.batch([given])
    elif mode == "abatch":
        await runnable.abatch([given])
    else:
        [_ async for _ in runnable.astream_events(given, version="v2")]


MODES = ("invoke", "ainvoke", "stream", "astream", "batch", "abatch", "astream_events")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("use", KEEPERS)
async def test_a_model_instrumented_before(
    use: str, mode: str, instrument: Instrument, captured: Captured
) -> None:
    """What is built on an instrumented model, or copied from it, is one call each."""
    await drive(KEEPERS[use](instrument(AsyncStreamModel())), mode, prompt(use))
    assert endings(captured) == [OK]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("use", HOLDERS_LATER)
async def test_a_model_instrumented_after(
    use: str, mode: str, instrument: Instrument, captured: Captured
) -> None:
    """`instrument` finds the model in what holds it, alternatives and fallbacks too."""
    held = HOLDERS_LATER[use](AsyncStreamModel())
    assert instrument(held) is held
    await drive(held, mode, prompt(use))
    assert endings(captured) == [OK]


def test_the_span_says_what_the_configuration_chose(
    instrument: Instrument, captured: Captured
) -> None:
    """The configured value and the chosen alternative, not the default ones."""
    with_temperature(instrument(SyncModel())).invoke("x")
    instrument(alternative(SyncModel(), "other")).invoke("x")
    first, second = captured.spans
    assert (first.attributes or {})[names.REQUEST_TEMPERATURE] == 0.5
    assert second.name == "chat other"


@pytest.mark.parametrize("mode", MODES[:4])
@pytest.mark.parametrize("build", [graph, create_agent], ids=["graph", "agent"])
async def test_inside_langgraph(
    build: Callable[[Any], Any], mode: str, instrument: Instrument, captured: Captured
) -> None:
    """A node's call is one call, in a graph of one's own and in an agent."""
    built = build(instrument(AsyncStreamModel()))
    await drive(built, mode, {"messages": [("user", "hello")]})
    assert endings(captured) == [OK]


@pytest.mark.parametrize("model_class", [StreamModel, AsyncStreamModel])
async def test_a_graph_that_streams_messages(
    model_class: type[StreamModel], instrument: Instrument, captured: Captured
) -> None:
    """LangGraph turns `invoke` into a stream: one span each, streamed, with its first chunk."""
    built, given = graph(instrument(model_class())), {"messages": [("user", "hello")]}
    assert list(built.stream(given, stream_mode="messages"))
    assert [_ async for _ in built.astream(given, stream_mode="messages")]
    assert endings(captured) == [OK, OK]
    streamed = [(span.attributes or {}).get(names.REQUEST_STREAM) for span in captured.spans]
    assert streamed == [True, True]
    assert captured.count(names.TIME_TO_FIRST_CHUNK.name) == 2


async def test_leaving_a_graph_is_silent(
    instrument: Instrument, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """`break` under a request's span ends the call's span, and nothing is logged."""
    built = graph(instrument(AsyncStreamModel(seconds=0.01)))
    tracer = captured.tracer_provider.get_tracer("test")
    with tracer.start_as_current_span("request") as request:
        async for _ in built.astream({"messages": [("user", "x")]}, stream_mode="messages"):
            break
        assert trace.get_current_span() is request
    await asyncio.sleep(0.1)  # the graph cancels its tasks
    assert len(captured.spans) == 2
    assert caplog.records == []


@pytest.mark.parametrize("model_class", [StreamModel, AsyncStreamModel, EventModel])
async def test_typed_event_streams(
    model_class: type[BaseChatModel], instrument: Instrument, captured: Captured
) -> None:
    """`stream_events(version="v3")`, sync and async, bridged and native, is one call each."""
    llm = instrument(model_class())
    list(llm.stream_events("x", version="v3"))
    async for _ in await llm.astream_events("x", version="v3"):
        pass
    assert endings(captured) == [OK, OK]


def in_child(llm: SyncModel, answers: Any) -> None:
    """Call *llm* in a process of its own, which has providers of its own."""
    with capture_telemetry() as captured:
        trace.set_tracer_provider(captured.tracer_provider)
        metrics.set_meter_provider(captured.meter_provider)
        llm.invoke("x")
        answers.put(endings(captured))


@pytest.mark.parametrize("given", ["captured", "global"])
def test_a_child_process_measures_what_it_is_given(given: str, instrument: Instrument) -> None:
    """A pickled model is instrumented in a new process, whose global providers get its calls."""
    llm = instrument(SyncModel()) if given == "captured" else replymeter.instrument(SyncModel())
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=in_child, args=(llm, answers))
    child.start()
    assert answers.get(timeout=60) == [OK]
    child.join(30)
    assert child.exitcode == 0
    replymeter.uninstrument(llm)
