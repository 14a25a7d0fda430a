"""What people say to a model, and what it answers, is nowhere in the exported bytes."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from replymeter.demo.cases import case_names, load_case
from replymeter.demo.models import FLAVOURS, chat_model, installed
from tests.fakes import AsyncStreamModel, PerPrompt, chunk, reply, result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.demo.grpc_server import GrpcServer
    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

SECRET = "SECRET-7f3a"
ADDRESS = f"{SECRET}@example.org"  # what is like an id is published as the conversation's
MODES = ("invoke", "ainvoke", "stream", "astream")
PROMPT = [("system", f"Never say {SECRET}."), ("user", f"What is {SECRET}?")]
CONFIG = {
    "metadata": {"user": SECRET, "session_id": ADDRESS},
    "tags": [SECRET],
    "run_name": SECRET,
    "configurable": {"thread_id": ADDRESS},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": f"Not {SECRET}.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


# What LangChain's classes throw away in some mode: it reaches neither the caller nor us.
DROPPED = {
    ("openai", "secret_refusal"),
    ("azure", "secret_refusal"),
    ("vertexai", "secret_blocked"),
    ("bedrock", "secret_refusal"),
    ("anthropic_vertex", "secret_refusal"),
}
BOUND = {"openai", "groq", "mistralai"}
BOUND_BY_CLASS = {"anthropic", "anthropic_vertex", "anthropic_bedrock"}


def exported(captured: Captured) -> bytes:
    """All that an OTLP exporter would send."""
    data = captured._reader.get_metrics_data()
    assert data is not None
    requests = encode_spans(captured.spans), encode_metrics(data)
    return b"".join(request.SerializeToString() for request in requests)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All that Replymeter and OpenTelemetry logged, tracebacks too."""
    formatter = logging.Formatter()
    ours = (
        record
        for record in caplog.records
        if record.name.partition(".")[0] in ("replymeter", "opentelemetry")
    )
    return "\n".join(map(formatter.format, ours))


async def told(llm: Any, mode: str) -> str:
    """What the caller gets, errors too."""
    try:
        if mode == "invoke":
            return repr(llm.invoke(PROMPT, CONFIG))
        if mode == "ainvoke":
            return repr(await llm.ainvoke(PROMPT, CONFIG))
        if mode == "stream":
            return repr(list(llm.stream(PROMPT, CONFIG)))
        return repr([item async for item in llm.astream(PROMPT, CONFIG)])
    except Exception as error:  # noqa: BLE001
        return repr(error) + repr(getattr(error, "body", None))


def cases() -> Iterator[Any]:
    """Every secret that every flavour can tell, in each mode."""
    for flavour in FLAVOURS:
        for name in case_names(flavour):
            if name.startswith("secret"):
                for mode in MODES:
                    yield pytest.param(flavour, name, mode, id=f"{flavour}-{name}-{mode}")


def with_secret_headers(case: dict[str, Any]) -> dict[str, Any]:
    """*case*, with the secret in its headers, too."""
    return {
        key: {**value, "headers": {**value.get("headers", {}), "x-secret": SECRET}}
        if key in ("invoke", "stream")
        else value
        for key, value in case.items()
    }


@pytest.mark.parametrize(("flavour", "name", "mode"), list(cases()))
def test_a_providers_secret_is_not_exported(
    flavour: str,
    name: str,
    mode: str,
    wire: WireServer,
    grpc: GrpcServer,
    instrument: Instrument,
    captured: Captured,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Prompt, answer, tool arguments, metadata, error, refusal, guardrail match, header: none."""
    if not installed(flavour):
        pytest.skip(f"the package of {flavour} is not installed")
    case = load_case(flavour, name)
    assert SECRET in json.dumps(case[mode.removeprefix("a")])
    if flavour == "vertexai" and mode.startswith("a"):
        llm = chat_model(flavour, grpc.url(name), transport="grpc")
    else:
        url = wire.add(flavour, f"{name}_in_headers", with_secret_headers(case))
        llm = chat_model(flavour, url)
    instrument(llm)
    if flavour in BOUND:
        llm = llm.bind(tools=[TOOL])  # type: ignore[assignment]
    if flavour in BOUND_BY_CLASS:
        llm = llm.bind_tools([TOOL])  # type: ignore[assignment]
    answer = asyncio.run(told(llm, mode))
    assert SECRET in answer or (flavour, name) in DROPPED
    assert len(captured.spans) == 1
    assert SECRET.encode() not in exported(captured)
    assert SECRET not in logged(caplog)


@pytest.mark.parametrize("mode", MODES)
def test_headers_that_langchain_hands_on_are_not_exported(
    mode: str, wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """Neither those of the request nor those of the response, nor the key."""
    url = wire.add("openai", "secret_headers", with_secret_headers(load_case("openai", "ok")))
    headers = {"default_headers": {"x-secret": SECRET}, "include_response_headers": True}
    llm = instrument(
        chat_model("openai", url, **headers, api_key=SECRET, model_kwargs={"user": SECRET})
    )
    assert SECRET in asyncio.run(told(llm, mode))
    assert len(captured.spans) == 1
    assert SECRET.encode() not in exported(captured)


HIDING = {
    "answer": reply(f"It is {SECRET}."),
    "tool": reply("", tool_calls=[{"name": "t", "args": {"a": SECRET}, "id": f"call {SECRET}!"}]),
    "refusal": reply("", additional_kwargs={"refusal": f"Not {SECRET}."}),
    "refusal block": reply([{"type": "refusal", "refusal": f"Not {SECRET}."}]),  # type: ignore[arg-type]
    "reasoning": reply([{"type": "thinking", "thinking": SECRET}]),  # type: ignore[arg-type]
    "metadata": reply(response_metadata={"finish_reason": f"It is {SECRET}!", "x": SECRET}),
    "logprobs": reply(
        response_metadata={"logprobs": {"content": [{"token": SECRET, "logprob": -0.5}]}}
    ),
    "error": RuntimeError(SECRET),
    "error with a body": type("Failed", (Exception,), {"body": {"error": {"message": SECRET}}})(),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", HIDING)
async def test_no_place_of_a_reply_is_exported(
    place: str,
    mode: str,
    instrument: Instrument,
    captured: Captured,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever LangChain's own fields hold, and what they should not."""
    hidden: Any = HIDING[place]
    if isinstance(hidden, Exception):
        llm = AsyncStreamModel(errors=[hidden])
    else:
        carried = chunk(hidden.content, hidden.usage_metadata, **hidden.response_metadata)
        carried.message.additional_kwargs = hidden.additional_kwargs
        llm = AsyncStreamModel(answer=result(hidden), chunks=[carried])
    await told(instrument(llm), mode)
    assert len(captured.spans) == 1
    assert SECRET.encode() not in exported(captured)
    assert SECRET not in logged(caplog)


def test_a_secret_in_an_attribute_is_found(
    instrument: Instrument, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """The search itself works: on spans, on metrics, and in the log."""
    with captured.tracer_provider.get_tracer("test").start_as_current_span("x") as span:
        span.set_attribute("x", f"<{SECRET}>")
    instrument(PerPrompt())
    assert SECRET.encode() in exported(captured)
    logging.getLogger("replymeter").warning("It is %s.", SECRET)
    assert SECRET in logged(caplog)


def test_a_secret_in_a_label_is_found(instrument: Instrument, captured: Captured) -> None:
    """A model's name is a label: there the search sees it."""
    instrument(AsyncStreamModel(model=SECRET))
    assert captured.spans == ()
    assert SECRET.encode() in exported(captured)
