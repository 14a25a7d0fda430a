"""What people and models wrote: off, on the span, on the event; cut, redacted, or refused."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import replymeter
from replymeter import conventions as names
from replymeter.content import Content, emit_details, fitted, plain
from replymeter.demo.models import chat_model, installed
from replymeter.settings import Capture
from replymeter.telemetry import Telemetry
from tests.fakes import AsyncStreamModel, EventModel, SyncModel, chunk, reply, result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECRET = "SECRET-7f3a"
PROMPT = [SystemMessage("Be brief."), HumanMessage("What is it?", name="ada")]
INPUT = [
    {"role": "user", "parts": [{"type": "text", "content": "What is it?"}], "name": "ada"},
]
OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "hi"}]}]
MESSAGES = (names.INPUT_MESSAGES, names.OUTPUT_MESSAGES)


@pytest.fixture
def events() -> InMemoryLogRecordExporter:
    """What the logger provider of `logs` exported."""
    made: Any = InMemoryLogRecordExporter
    exporter: InMemoryLogRecordExporter = made()
    return exporter


@pytest.fixture
def logs(events: InMemoryLogRecordExporter) -> Iterator[LoggerProvider]:
    """A logger provider that keeps what it gets."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(events))
    yield provider
    provider.shutdown()


def on_span(captured: Captured) -> dict[str, Any]:
    """The content on the last span, parsed."""
    said = captured.spans[-1].attributes or {}
    found = {name: str(said[name]) for name in names.CONTENT if name in said}
    return {
        name: value if name == names.EXCEPTION_MESSAGE else json.loads(value)
        for name, value in found.items()
    }


@pytest.mark.parametrize(
    ("mode", "span", "event"),
    [
        (None, 0, 0),
        ("NO_CONTENT", 0, 0),
        ("SPAN_ONLY", 1, 0),
        ("event_only", 0, 1),
        ("SPAN_AND_EVENT", 1, 1),
    ],
)
def test_the_standard_variable_says_where(
    mode: str | None,
    span: int,
    event: int,
    instrument: Instrument,
    captured: Captured,
    logs: LoggerProvider,
    events: InMemoryLogRecordExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nowhere unless it is asked for; JSON on the span, structured on the event."""
    if mode is not None:
        monkeypatch.setenv(VARIABLE, mode)
    instrument(SyncModel(), logger_provider=logs).invoke(PROMPT)

    want = {
        names.SYSTEM_INSTRUCTIONS: [{"type": "text", "content": "Be brief."}],
        names.INPUT_MESSAGES: INPUT,
        names.OUTPUT_MESSAGES: OUTPUT,
    }
    assert on_span(captured) == (want if span else {})
    records = [data.log_record for data in events.get_finished_logs()]
    assert len(records) == event
    for record in records:
        attributes: Any = record.attributes or {}
        said = {name: plain(attributes[name]) for name in want}
        assert said == want
        assert attributes[names.FINISH_REASONS] == ("stop",)
        assert attributes[names.REQUEST_MODEL] == "fake-1"
        assert record.event_name == names.DETAILS_EVENT
        assert record.severity_number is SeverityNumber.DEBUG
        context = captured.spans[0].get_span_context()
        assert context is not None
        assert (record.trace_id, record.span_id) == (context.trace_id, context.span_id)


def test_a_value_that_is_none_captures_nothing(
    instrument: Instrument,
    captured: Captured,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The variable is other libraries', too: the old `true` is a log line and no content."""
    monkeypatch.setenv(VARIABLE, "true")
    instrument(SyncModel()).invoke(PROMPT)

    assert on_span(captured) == {}
    assert f"{VARIABLE}=true: give one of no_content" in caplog.text


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return city


@pytest.mark.parametrize("flavour", ["openai", "anthropic", "cohere", "gemini", "bedrock_converse"])
def test_the_tools_that_a_call_offers(
    flavour: str, wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """One shape of whatever the real class hands on."""
    if not installed(flavour):
        pytest.skip(f"the package of {flavour} is not installed")
    llm = instrument(chat_model(flavour, wire.url(flavour, "ok")), capture_content="span_only")
    llm.bind_tools([weather]).invoke(PROMPT)

    (said,) = on_span(captured)[names.TOOL_DEFINITIONS]
    assert said["parameters"]["properties"]["city"]["type"] == "string"
    del said["parameters"]
    want = {"type": "function", "name": "weather", "description": "The weather of a city."}
    assert said == want


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"type": "web_search"}, {"type": "web_search", "name": "web_search"}),
        (
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "web_search_20250305", "name": "web_search"},
        ),
        (3, {"type": "generic", "name": "int"}),
    ],
)
def test_a_tool_of_the_providers_own(
    given: Any, want: dict[str, str], instrument: Instrument, captured: Captured
) -> None:
    """It has a type and a name; its settings stay here."""
    llm = instrument(SyncModel(), capture_content="span_only")
    llm.invoke(PROMPT, tools=[given])
    assert on_span(captured)[names.TOOL_DEFINITIONS] == [want]


async def test_a_stream_is_put_together(instrument: Instrument, captured: Captured) -> None:
    """From its chunks, or its events, in each mode; of an abandoned one what came."""
    model = AsyncStreamModel()
    llm = instrument(model, capture_content="span_only")
    list(llm.stream(PROMPT))
    _ = [item async for item in llm.astream(PROMPT)]
    for _item in llm.stream(PROMPT):
        break
    list(instrument(EventModel(), capture_content="span_only").stream_events(PROMPT, version="v3"))

    texts = [
        json.loads(str((span.attributes or {})[names.OUTPUT_MESSAGES]))[0]["parts"][0]["content"]
        for span in captured.spans
    ]
    assert texts == ["one two", "one two", "one ", "one two"]


@pytest.mark.filterwarnings("ignore:Received unexpected tool")  # no tool was bound
@pytest.mark.parametrize("flavour", ["openai", "anthropic"])
@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_real_tool_call_and_its_result(
    mode: str, flavour: str, wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """The arguments are JSON and no text; the result names its call."""
    llm = chat_model(flavour, wire.url(flavour, "tool_calls"))
    instrument(llm, capture_content="span_only")
    called = AIMessage("", tool_calls=[{"name": "sum", "args": {"a": 1}, "id": "c-1"}])
    prompt = [HumanMessage("x"), called, ToolMessage("3", tool_call_id="c-1")]
    if mode == "invoke":
        llm.invoke(prompt)
    else:
        list(llm.stream(prompt))

    said = on_span(captured)
    assert said[names.INPUT_MESSAGES][1:] == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "name": "sum", "arguments": {"a": 1}, "id": "c-1"}],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "c-1", "response": "3"}],
        },
    ]
    calls = [part for part in said[names.OUTPUT_MESSAGES][0]["parts"] if "arguments" in part]
    assert calls
    assert all(isinstance(call["arguments"], dict) for call in calls)


def test_pictures_come_without_their_bytes(instrument: Instrument, captured: Captured) -> None:
    """By their address or their id, or as a blob of nothing."""
    media: list[str | dict[str, Any]] = [
        {"type": "text", "text": "see"},
        {"type": "image", "url": "https://example.org/a.png"},
        {"type": "image", "base64": "QUJD", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "file", "file_id": "f-1"},
    ]
    llm = instrument(SyncModel(), capture_content="span_only")
    llm.invoke([HumanMessage(content=media)])

    (message,) = on_span(captured)[names.INPUT_MESSAGES]
    assert [part["type"] for part in message["parts"]] == ["text", "uri", "blob", "blob", "file"]
    assert "QUJD" not in str((captured.spans[0].attributes or {})[names.INPUT_MESSAGES])


def test_every_choice_is_a_message(instrument: Instrument, captured: Captured) -> None:
    """In their order."""
    llm = SyncModel(answer=result(reply("one"), reply("two")))
    instrument(llm, capture_content="span_only").invoke(PROMPT)

    output = on_span(captured)[names.OUTPUT_MESSAGES]
    assert [message["parts"][0]["content"] for message in output] == ["one", "two"]


def test_an_exceptions_text_is_content(instrument: Instrument, captured: Captured) -> None:
    """With capture it is on the span, without it is not."""
    for capture in ("span_only", "no_content"):
        llm = SyncModel(errors=[ValueError(SECRET)])
        instrument(llm, capture_content=capture)
        with pytest.raises(ValueError, match=SECRET):
            llm.invoke(PROMPT)

    texts = [(span.attributes or {}).get(names.EXCEPTION_MESSAGE) for span in captured.spans]
    assert texts == [SECRET, None]
    assert SECRET not in str(captured.spans[1].to_json())


def test_redaction_sees_every_attribute(instrument: Instrument, captured: Captured) -> None:
    """What it returns is recorded; None is nothing."""
    seen: list[str] = []

    def redact(name: str, value: Any) -> Any:
        seen.append(name)
        if name == names.INPUT_MESSAGES:
            return None
        return json.loads(json.dumps(value).replace("hi", "**"))

    instrument(SyncModel(), capture_content="span_only", redact=redact).invoke(PROMPT)

    assert seen == [names.SYSTEM_INSTRUCTIONS, *MESSAGES]
    said = on_span(captured)
    assert said[names.OUTPUT_MESSAGES][0]["parts"][0]["content"] == "**"
    assert names.INPUT_MESSAGES not in said


def test_a_redaction_that_fails_lets_nothing_out(
    instrument: Instrument, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even what it had redacted before; the call is counted, and so is the failure."""

    def redact(name: str, value: Any) -> Any:
        if name == names.OUTPUT_MESSAGES:
            raise RuntimeError(SECRET)
        return value

    llm = instrument(SyncModel(), capture_content="span_only", redact=redact)

    assert llm.invoke(PROMPT).content == "hi"
    assert on_span(captured) == {}
    assert captured.total(names.INTERNAL_ERRORS.name, kind="content") == 1
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="stop") == 1
    assert SECRET not in caplog.text


def test_a_redaction_by_name(instrument: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    """`module:function`, for zero-code; one that is not there is an error and no content."""
    monkeypatch.setenv("REPLYMETER_REDACT", "json:nothing")
    with pytest.raises(ValueError, match="REPLYMETER_REDACT=json:nothing: there is no such"):
        instrument(SyncModel())
    with pytest.raises(ValueError, match="give a function"):
        instrument(SyncModel(), redact=3)


def test_elsewhere_without_its_redaction_a_model_captures_nothing() -> None:
    """A pickled model's function may not be there: fail closed, and pickle at all."""
    llm = SyncModel()
    replymeter.instrument(llm, capture_content="span_only", redact=lambda _, value: value)
    there = pickle.dumps(llm)
    replymeter.uninstrument(llm)
    del llm
    settings = pickle.loads(there).__dict__["_replymeter_mark"].instrumentation.settings  # noqa: S301

    assert settings.content is None


@pytest.mark.parametrize("limit", [1, 60, 500, 5000])
def test_what_is_too_long_is_cut_and_stays_json(
    limit: int, instrument: Instrument, captured: Captured
) -> None:
    """Long texts first; then the oldest messages go, and the last are kept."""
    prompt: list[Any] = [HumanMessage(f"{number} " + "é" * 300) for number in range(40)]
    instrument(SyncModel(), capture_content="span_only", content_limit=limit).invoke(prompt)

    raw = str((captured.spans[0].attributes or {})[names.INPUT_MESSAGES])
    messages = json.loads(raw)
    assert len(raw) <= max(limit, 2)
    if messages:
        assert messages[-1]["parts"][0]["content"].startswith("39 ")
    assert bool(messages) == (limit > 100)


def test_what_json_has_not_is_named_or_replaced() -> None:
    """No NaN, no half a surrogate, no object, no endless nesting."""
    endless: list[Any] = []
    endless.append(endless)
    odd = {1: float("nan"), "s": "\ud800", "o": object(), "e": endless, "t": (True, None, 1.5)}

    said = json.loads(json.dumps(plain(odd), allow_nan=False))

    assert {key: said[key] for key in ("1", "s", "o", "t")} == {
        "1": "nan",
        "s": "?",
        "o": "object",
        "t": [True, None, 1.5],
    }
    assert fitted("x" * 10, 3) == "xxx"


def test_a_long_stream_is_not_kept_whole() -> None:
    """What is kept of the chunks is about what may be recorded."""
    content = Content(
        Capture(on_span=True, on_event=False, limit=1000), [], None, Telemetry(None, None, None)
    )
    for _ in range(1000):
        content.take(chunk("x" * 100))

    assert 5 <= len(content._chunks) <= 11
    (message,) = content.read(None, None)[names.OUTPUT_MESSAGES]
    assert set(message["parts"][0]["content"]) == {"x"}


def test_no_logger_provider_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Content for events goes nowhere without one."""
    telemetry = Telemetry(None, None, None)
    emit_details(telemetry, {}, Context())
    emit_details(telemetry, {}, Context())

    assert caplog.text.count("no OpenTelemetry logger provider is set up") == 1
