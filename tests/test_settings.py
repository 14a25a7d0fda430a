"""Arguments and variables of `instrument`: which wins, what they do, what they must be."""

from __future__ import annotations

import sys
from inspect import signature
from typing import TYPE_CHECKING, Any, TypedDict, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import replymeter
from replymeter import conventions as names
from replymeter.demo.models import FLAVOURS, chat_model, installed
from replymeter.settings import MOST_LABELS, SETTINGS
from tests.fakes import AsyncStreamModel, StreamModel, SyncModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

OLDER = (names.OLDER_DURATION.name, names.OLDER_TOKEN_USAGE.name)


def test_every_setting_is_an_argument() -> None:
    """The table, from which the documentation is made, and the signature say the same."""
    arguments = set(signature(replymeter.instrument).parameters)

    assert arguments - {"llm", "tracer_provider", "meter_provider", "logger_provider"} == {
        setting.argument for setting in SETTINGS
    }


@pytest.mark.parametrize(("argument", "chunks"), [(None, 2), (True, 2), (False, 0)])
def test_an_argument_wins_over_its_variable(
    argument: bool | None,  # noqa: FBT001
    chunks: int,
    instrument: Instrument,
    captured: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is None is taken from the variable."""
    monkeypatch.setenv("REPLYMETER_CHUNK_TIMING", "True")
    list(instrument(StreamModel(), chunk_timing=argument).stream("hello"))

    assert captured.count(names.TIME_PER_OUTPUT_CHUNK.name) == chunks


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("REPLYMETER_CHUNK_TIMING", "yes", "give True or False"),
        ("REPLYMETER_COST", "1", "give True or False"),
        ("REPLYMETER_LABELS", "Team=search", "label 'Team'"),
        ("REPLYMETER_LABELS", "search", "label 'search' has no value"),
        ("REPLYMETER_PRICES", "/nowhere.json", "cannot read the file"),
        ("REPLYMETER_MODEL_CAP", "0", "give a whole number of 1 or more"),
    ],
)
def test_a_wrong_variable_is_named(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is at `instrument`, and says which variable and what is allowed."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ValueError, match=said) as raised:
        replymeter.instrument(SyncModel())
    assert str(raised.value).startswith(f"{variable}={value}: ")


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("provider", "", "give a name"),
        ("provider", "x" * 65, "of 1 to 64 characters"),
        ("provider", "a\nb", "of 1 to 64 characters"),
        ("chunk_timing", 1, "give True or False"),
        ("labels", {"job": "x"}, "the name is taken"),
        ("labels", {"gen_ai.agent": "x"}, "the name is taken"),
        ("labels", {"team": "a@b"}, "a value is 1 to 64 characters"),
        ("labels", {f"l{n}": "x" for n in range(MOST_LABELS + 1)}, "5 at most"),
        ("labels", 3, "give a mapping"),
        ("conversation_keys", [3], "give a list of names"),
    ],
)
def test_a_wrong_argument_is_named(argument: str, value: Any, said: str) -> None:
    """The error says which argument, and what is allowed."""
    with pytest.raises(ValueError, match=said) as raised:
        replymeter.instrument(SyncModel(), **{argument: value})
    assert str(raised.value).startswith(f"replymeter.instrument({argument}={value!r}): ")


@pytest.mark.parametrize("argument", ["tracer_provider", "meter_provider"])
def test_what_is_no_provider_is_a_type_error(argument: str) -> None:
    """Before anything is wrapped."""
    arguments: Any = {argument: 3}
    with pytest.raises(TypeError, match=rf"instrument\({argument}=3\): give an OpenTelemetry"):
        replymeter.instrument(SyncModel(), **arguments)

    assert "__wrapped__" not in vars(SyncModel._generate)


def test_the_older_metrics_stand_beside_the_newer(
    instrument: Instrument, captured: Captured
) -> None:
    """The same numbers, with the labels and buckets of conventions 1.37 to 1.41."""
    llm = instrument(SyncModel(errors=[ValueError()]), older_metrics=True)
    with pytest.raises(ValueError):  # noqa: PT011  # the model's own, without words
        llm.invoke("hello")
    llm.invoke("hello")

    assert captured.total(OLDER[1], token_type="input") == captured.total(names.INPUT_TOKENS.name)
    assert captured.total(OLDER[1], token_type="output") == captured.total(names.OUTPUT_TOKENS.name)
    assert captured.count(OLDER[0]) == 2
    assert captured.count(OLDER[0], error_type="_OTHER") == 1
    (_, point), *_ = captured.points(OLDER[0])
    assert (point.explicit_bounds[0], point.explicit_bounds[-1]) == (0.01, 81.92)


def test_unasked_the_older_metrics_are_not_there(
    instrument: Instrument, captured: Captured
) -> None:
    """Nobody pays twice by default."""
    instrument(SyncModel()).invoke("hello")

    assert [captured.points(metric) for metric in OLDER] == [[], []]


def test_own_labels_are_on_every_metric_and_span(
    instrument: Instrument, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those at 0, too; a second model without them has none."""
    monkeypatch.setenv("REPLYMETER_LABELS", "team=search, tier=free")
    instrument(SyncModel()).invoke("hello")
    instrument(SyncModel(model="other"), labels={}).invoke("hello")

    for metric in (names.DURATION, names.FINISH_REASON_COUNT, names.INPUT_TOKENS):
        assert {
            (labels[names.REQUEST_MODEL], labels.get("team"), labels.get("tier"))
            for labels, _ in captured.points(metric.name)
        } == {("fake-1", "search", "free"), ("other", None, None)}
    assert [(span.attributes or {}).get("team") for span in captured.spans] == ["search", None]


def test_sixty_sets_of_labels_are_capped(instrument: Instrument, captured: Captured) -> None:
    """Labels made up call by call do not use up the series."""
    for number in range(60):
        instrument(SyncModel(), labels={"team": f"team-{number}"}).invoke("hello")

    teams = {labels["team"] for labels, _ in captured.points(names.DURATION.name)}
    assert len(teams) == names.LABEL_CAP + 1
    assert names.OTHER in teams
    assert captured.count(names.DURATION.name) == 60


def test_the_cap_on_models_is_a_setting(instrument: Instrument, captured: Captured) -> None:
    """Of request models the first three keep their names, whichever instance calls them."""
    for number in range(6):
        instrument(SyncModel(model=f"model-{number}"), model_cap=3).invoke("hello")

    models = {labels[names.REQUEST_MODEL] for labels, _ in captured.points(names.DURATION.name)}
    assert models == {"model-0", "model-1", "model-2", names.OTHER}
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="stop") == 6


class Managed(AsyncStreamModel):
    """Takes a run manager, as the providers' classes do."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Any:
        return self.answer

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any
    ) -> Any:
        return self.answer


def conversations(captured: Captured) -> list[Any]:
    """The conversation of every span."""
    return [(span.attributes or {}).get(names.CONVERSATION_ID) for span in captured.spans]


async def test_the_conversation_is_on_the_span_only(
    instrument: Instrument, captured: Captured
) -> None:
    """Plain calls say it in the config, in every mode; no metric has it."""
    llm = instrument(Managed())
    config: Any = {"metadata": {"session_id": "s-1", "user_id": "u-1"}}
    llm.invoke("hello", config)
    await llm.ainvoke("hello", config)
    list(llm.stream("hello", config))
    _ = [item async for item in llm.astream("hello", config)]

    assert conversations(captured) == ["s-1"] * 4
    assert not any("u-1" in (span.attributes or {}).values() for span in captured.spans)
    for metric in names.METRICS:
        assert not any("s-1" in labels.values() for labels, _ in captured.points(metric.name))


@pytest.mark.parametrize(
    ("keys", "metadata", "said"),
    [
        (None, {"thread_id": 7, "session_id": "s"}, "7"),
        (None, {"thread_id": "someone@example.org"}, None),
        (None, {"thread_id": "x" * 65}, None),
        (None, {"thread_id": ["x"]}, None),
        (["chat"], {"thread_id": "t", "chat": "c"}, "c"),
        ([], {"thread_id": "t"}, None),
    ],
)
def test_which_key_is_the_conversation(
    keys: Any, metadata: Any, said: str | None, instrument: Instrument, captured: Captured
) -> None:
    """The first of the keys with something like an id; an address is none."""
    instrument(Managed(), conversation_keys=keys).invoke("hello", {"metadata": metadata})

    assert conversations(captured) == [said]


def test_the_conversation_is_not_looked_for_where_no_span_is(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A span that is not recorded cannot say it."""
    looked: list[Any] = []
    monkeypatch.setattr("replymeter.call.conversation_id", lambda *_: looked.append(1))
    unseen = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    replymeter.instrument(Managed(), tracer_provider=unseen).invoke("hello")
    assert looked == []

    instrument(Managed()).invoke("hello")
    assert looked == [1]


class State(TypedDict):
    said: str


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="the config is not handed on in 3.10's tasks"
)
async def test_a_graphs_thread_is_the_conversation(
    instrument: Instrument, captured: Captured
) -> None:
    """LangGraph's `thread_id`, with a checkpointer, in each mode and each of two threads."""
    llm = instrument(Managed())

    def ask(state: State) -> State:
        return {"said": str(llm.invoke(state["said"]).content)}

    def ask_streamed(state: State) -> State:
        return {"said": "".join(str(part.content) for part in llm.stream(state["said"]))}

    async def ask_later(state: State) -> State:
        return {"said": str((await llm.ainvoke(state["said"])).content)}

    for node in (ask, ask_streamed, ask_later):
        builder = StateGraph(State)
        builder.add_node("ask", cast("Any", node))
        builder.add_edge(START, "ask")
        builder.add_edge("ask", END)
        graph = builder.compile(checkpointer=InMemorySaver())
        for thread in ("t-1", "t-2"):
            config: Any = {"configurable": {"thread_id": thread}}
            await graph.ainvoke({"said": "hello"}, config)

    assert conversations(captured) == ["t-1", "t-2"] * 3


class Bypassing(SyncModel):
    """Answers by itself, unseen."""

    def invoke(self, *_: Any, **__: Any) -> Any:
        """Answer."""
        return "unseen"


class Through(SyncModel):
    """Has its own `invoke`, which is seen."""

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Answer."""
        return super().invoke(*args, **kwargs)


def test_a_class_that_goes_around_is_named(
    instrument: Instrument, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a class, and only that class."""
    for llm in (Bypassing(), Bypassing(), Through(), SyncModel()):
        instrument(llm)

    assert caplog.text.count("its calls will not be seen") == 1
    assert "Bypassing.invoke is its own" in caplog.text


def test_no_provider_class_is_said_to_go_around() -> None:
    """Those that override a public method go through."""
    from replymeter.find import bypassing

    for flavour in filter(installed, FLAVOURS):
        model = chat_model(flavour, "http://127.0.0.1:9")
        assert list(bypassing(type(model))) == [], flavour
