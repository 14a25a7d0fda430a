"""The 23 traps in what LangChain's packages hand over, each with the real classes that set it.

A row says what one wire case must give in each mode; `None` is "not reported". What is no
provider's doing, or needs another set-up, is a test of its own, and names its trap.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage

from replymeter import conventions as names
from replymeter.demo.cases import load_case
from replymeter.demo.models import chat_model, installed
from replymeter.providers import find
from tests.test_exactness import call, in_metrics, on_span, shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

    Instrument = Callable[..., Any]

TITLES = {
    1: "a stream's finish reasons are glued together",
    2: "a blocked prompt has no finish reason, or leaves no trace",
    3: "a server repeats running totals",
    4: "several choices repeat one usage, and end differently",
    5: "a cached reply repeats the usage of the first",
    6: "an error inside a stream is swallowed",
    7: "streams report no usage",
    8: "two modes of one class count differently",
    9: "cache writes and tiers stand under other names",
    10: "the output leaves reasoning out",
    11: "finish reason and model come twice",
    12: "there is no finish reason",
    13: "a filter raises in one mode and not in the other",
    14: "one failure is told twice",
    15: "the provider's name is somebody else's",
    16: "leaving and cancelling look like errors",
    17: "an error's status is none",
    18: "no usage asked for, no finish reason given",
    19: "a stream's input is filled in with 0",
    20: "tool calls end as `stop`, ids and names are others",
    21: "values come in several types",
    22: "an error's text carries secrets",
    23: "the request's model is handed back as the response's",
}
BOTH = ("invoke", "stream")
MISSED = {"normalised": ["missing"], "finish_reasons": None}
PROMPT_BLOCK = {"normalised": ["content_filter"], "finish_reasons": None}
NO_USAGE = {"input_tokens": None, "output_tokens": None}
TOTALS = {"input_tokens": 1223, "output_tokens": 281}
SPLIT = {"input_tokens": 2206, "cache_read": 653, "cache_write": 366}
TIER = {"cache_read": 647, "reasoning": 137}
TOOLS = {"normalised": ["tool_calls"]}

# Trap, flavour, case, modes, what must be read.
ROWS: tuple[tuple[int, str, str, tuple[str, ...], dict[str, Any]], ...] = (
    (1, "vertexai", "length", BOTH, {"normalised": ["length"], "finish_reasons": ["MAX_TOKENS"]}),
    (1, "vertexai", "safety", BOTH, {"normalised": ["content_filter"]}),
    (2, "vertexai", "blocked_prompt", BOTH, {**PROMPT_BLOCK, "blocks": [["prompt", "other"]]}),
    (2, "gemini", "blocked_prompt", BOTH, {**PROMPT_BLOCK, "blocks": [["prompt", "dangerous"]]}),
    *((3, flavour, "stream_running_totals", ("stream",), TOTALS)
      for flavour in ("openai", "mistralai", "nvidia", "together", "fireworks", "watsonx")),
    (4, "openai", "n2", BOTH, {
        "input_tokens": 1201, "output_tokens": 277, "normalised": ["stop", "length"],
        "response_model": "gpt-5-mini-2025-08-07",
    }),
    *((6, flavour, "stream_error_event", ("stream",), {**MISSED, "error_type": None})
      for flavour in ("mistralai", "fireworks", "perplexity", "nvidia", "vertexai")),
    *((7, flavour, "stream_no_usage", ("stream",), {**NO_USAGE, "normalised": ["stop"]})
      for flavour in ("openai", "huggingface", "bedrock_titan", "together_openai")),
    (7, "bedrock_llama", "length", BOTH, {"output_tokens": 233, "normalised": ["length"]}),
    (7, "ollama", "no_counts", BOTH, {**NO_USAGE, "normalised": ["stop"]}),
    (8, "cohere", "ok", ("invoke",), {"input_tokens": 1117, "output_tokens": 331}),
    (8, "cohere", "ok", ("stream", "astream"), {"input_tokens": 1013, "output_tokens": 229}),
    (9, "anthropic", "cache_write_ttl", BOTH, SPLIT),
    (9, "bedrock_converse", "cache_write_ttl", BOTH, SPLIT),
    (9, "openai", "tier_priority", BOTH, TIER),
    (9, "openai", "tier_flex", BOTH, TIER),
    (10, "vertexai", "reasoning", BOTH, {"output_tokens": 400, "reasoning": 131}),
    (10, "xai_openai", "reasoning", BOTH, {"output_tokens": 400, "reasoning": 131}),
    (11, "openrouter_openai", "stream_repeated_finish", ("stream",), {
        "finish_reasons": ["stop"], "response_model": "mistralai/mistral-small-2603",
    }),
    (12, "perplexity", "length", ("invoke",), MISSED),
    (12, "perplexity", "length", ("stream",), {"normalised": ["length"]}),
    (12, "bedrock_mistral", "length", BOTH, MISSED),
    (12, "bedrock_openai", "length", BOTH, MISSED),
    (12, "bedrock_titan", "length", ("invoke",), MISSED),
    (12, "openai_responses", "length", BOTH, {"normalised": ["length"]}),
    (13, "azure", "content_filter", ("invoke",), {
        "normalised": ["content_filter"], "error_type": "content_filter",
        "blocks": [["response", "other"]],
    }),
    (13, "azure", "content_filter", ("stream",), {
        "normalised": ["content_filter"], "error_type": None, "blocks": [["response", "other"]],
    }),
    (13, "openai", "refusal", ("invoke",), {
        "normalised": ["refusal"], "blocks": [["response", "refusal"]],
    }),
    (14, "bedrock", "error_429", BOTH, {"error_type": "rate_limit", "normalised": ["error"]}),
    (17, "anthropic", "stream_error_event", ("stream",), {"error_type": "overloaded"}),
    (17, "ollama", "stream_error_event", ("stream",), {"error_type": "stream_broken"}),
    (17, "gemini", "error_429", BOTH, {"error_type": "rate_limit"}),
    (19, "anthropic", "stream_old_delta", ("stream",), {
        "input_tokens": None, "output_tokens": 281,
    }),
    *((20, flavour, "tool_calls", BOTH, TOOLS)
      for flavour in ("gemini", "vertexai", "ollama", "openai_responses")),
    (20, "anthropic", "ok", ("stream",), {"response_id": None}),
    (20, "huggingface", "ok", BOTH, {"response_model": None}),
    (21, "bedrock_converse", "ok", BOTH, {"total_time": 1.29}),
    (21, "cohere", "fractions", ("invoke",), {"input_tokens": 1241, "output_tokens": 399}),
    (21, "gemini", "safety_many", BOTH, {"blocks": [
        ["response", "harassment"], ["response", "hate"], ["response", "sexual"],
    ]}),
    *((23, flavour, "ok", BOTH, {"response_model": None})
      for flavour in ("groq", "fireworks", "vertexai", "bedrock", "bedrock_converse", "nvidia")),
    (23, "mistralai", "ok", ("invoke",), {"response_model": None}),
)  # fmt: skip
CALLS = [
    pytest.param(
        flavour, name, mode, facts, id=f"trap {trap}, {TITLES[trap]}: {flavour}-{name}-{mode}"
    )
    for trap, flavour, name, modes, facts in ROWS
    for mode in modes
]


@pytest.mark.parametrize(("flavour", "name", "mode", "facts"), CALLS)
def test_trap(
    flavour: str,
    name: str,
    mode: str,
    facts: dict[str, Any],
    *,
    wire: WireServer,
    instrument: Instrument,
    captured: Captured,
) -> None:
    """The span says what the row says, and the metrics say the same, of one call."""
    if not installed(flavour):
        pytest.skip(f"the package of {flavour} is not installed")
    llm = shared(flavour, wire.add(flavour, "current", load_case(flavour, name)))
    call(instrument(llm), mode, **({"n": 2} if name == "n2" else {}))

    (span,) = captured.spans
    said = on_span(span.attributes or {})
    assert {fact: said.get(fact) for fact in facts} == facts
    counted = in_metrics(captured)
    assert counted["normalised"] == sorted(said["normalised"])
    for fact in ("input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning"):
        assert counted.get(fact) == said.get(fact)
    unseen = "error_type" not in said and not {"input_tokens", "output_tokens"} & said.keys()
    assert captured.total(names.USAGE_MISSING.name) == unseen
    assert captured.count(names.DURATION.name) == 1


def model(flavour: str, url: str, **settings: Any) -> Any:
    """The real class of *flavour*, at *url*."""
    if not installed(flavour):
        pytest.skip(f"the package of {flavour} is not installed")
    return chat_model(flavour, url, **settings)


def test_trap_5_a_cached_reply_is_no_call(
    wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """LangChain answers from its cache with the old usage; nothing was spent, nothing counts."""
    llm = instrument(model("openai", wire.url("openai", "ok"), cache=InMemoryCache()))
    first, second = llm.invoke("hi"), llm.invoke("hi")

    assert second.usage_metadata["input_tokens"] == first.usage_metadata["input_tokens"] == 1117
    assert len(captured.spans) == 1
    assert captured.total(names.INPUT_TOKENS.name) == 1117


def test_trap_7_the_advice_comes_at_instrument(
    wire: WireServer, instrument: Instrument, caplog: pytest.LogCaptureFixture
) -> None:
    """With a base URL the class asks for no usage in streams; what to do is said before a call."""
    instrument(model("openai", wire.url("openai", "ok"), stream_usage=None))

    assert "stream_usage=True" in caplog.text


def test_trap_14_a_batch_that_fails_at_first_leaves_nothing_open(
    wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """`generate([a, b])` stops at a: LangChain tells b's start, and never its end."""
    llm = instrument(model("bedrock", wire.url("bedrock", "error_429")))
    with pytest.raises(Exception, match="ThrottlingException"):
        llm.generate([[HumanMessage("a")], [HumanMessage("b")]])

    assert len(captured.spans) == 1
    assert captured.total(names.FINISH_REASON_COUNT.name) == 1


@pytest.mark.parametrize(
    ("flavour", "name"),
    [
        ("together", "together"),
        ("cerebras", "cerebras"),
        ("azure", "azure.ai.openai"),
        ("together_openai", "together"),
        ("xai_openai", "x_ai"),
        ("openrouter_openai", "openrouter"),
        ("gemini", "gcp.gemini"),
        ("gemini_vertex", "gcp.vertex_ai"),
        ("anthropic_vertex", "gcp.vertex_ai"),
        ("anthropic_bedrock", "aws.bedrock"),
    ],
)
def test_trap_15_the_provider_is_who_is_called(flavour: str, name: str) -> None:
    """LangChain's `model_provider` says openai, google_genai or anthropic of these."""
    assert find(model(flavour, f"http://127.0.0.1:9/{flavour}/ok")).provider.name == name


@pytest.mark.parametrize("ending", ["abandoned", "cancelled"])
async def test_trap_16_who_leaves_makes_no_error(
    ending: str, wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """LangChain's callbacks tell both as an error."""
    case = {"stream": {**load_case("groq", "ok")["stream"], "pause": 30.0}}
    llm = instrument(model("groq", wire.add("groq", f"trap_16_{ending}", case)))
    if ending == "abandoned":
        for _ in llm.stream("hi"):
            break
    else:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_drain(llm), 0.5)

    (span,) = captured.spans
    assert (span.attributes or {})[names.OUTCOME] == ending
    assert names.ERROR_TYPE not in (span.attributes or {})
    assert span.status.is_unset
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason=ending) == 1


async def _drain(llm: Any) -> None:
    async for _ in llm.astream("hi"):
        pass


def test_trap_18_without_usage_there_may_be_no_reason(
    wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """langchain-anthropic 1.7.7 drops it with the usage, 1.7.10 does not; nothing is made up."""
    llm = instrument(model("anthropic", wire.url("anthropic", "ok"), stream_usage=False))
    said = any(chunk.response_metadata.get("stop_reason") for chunk in llm.stream("hi"))

    reason = "stop" if said else "missing"
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason=reason) == 1
    assert captured.total(names.USAGE_MISSING.name) == 1


def test_trap_20_a_deployment_is_what_was_asked_for(
    wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """Azure's model is the deployment's name; the response says which model answered."""
    call(instrument(model("azure", wire.url("azure", "ok"))), "invoke")

    attributes = captured.spans[0].attributes or {}
    assert attributes[names.REQUEST_MODEL] == "tales-in-production"
    assert attributes[names.RESPONSE_MODEL] == "gpt-4.1-mini-2025-04-14"


@pytest.mark.parametrize("flavour", ["cohere", "openai", "bedrock", "vertexai"])
def test_trap_22_an_errors_text_stays_where_it_is(
    flavour: str, wire: WireServer, instrument: Instrument, captured: Captured
) -> None:
    """The prompt and the headers are in the exception, and in nothing that is exported."""
    with pytest.raises(Exception, match="SECRET-7f3a"):
        instrument(model(flavour, wire.url(flavour, "secret_error"))).invoke("hi")

    (span,) = captured.spans
    assert "SECRET-7f3a" not in span.to_json()
    assert span.events == ()


def test_every_trap_has_a_test() -> None:
    """By a row, or by a test that names it."""
    named = re.findall(
        r"^(?:async )?def test_trap_(\d+)_", Path(__file__).read_text(), re.MULTILINE
    )

    assert {row[0] for row in ROWS} | set(map(int, named)) == set(TITLES) == set(range(1, 24))
