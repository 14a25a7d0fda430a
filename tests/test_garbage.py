"""Metadata that is no metadata: the reply is intact, no span is lost, the log stays short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]
from replymeter import conventions as names
from tests.fakes import INPUT, OUTPUT, chunk, ended, usage
from tests.garbage import (
    GARBAGE,
    HOSTILE,
    KINDS,
    PLACES,
    Endless,
    Locked,
    Nasty,
    Raw,
    check,
    drive,
)


@pytest.mark.parametrize("kind", ["fake", *KINDS])
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_every_place(
    name: str,
    kind: str,
    instrument: Instrument,
    captured: Captured,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever stands wherever, of whatever provider: nothing is raised, nothing lost.

    Nor is anything slow: when something was quadratic it took minutes, longer than a test may.
    """
    llm, garbage = instrument(Raw(kind=kind)), GARBAGE[name]()
    for place in PLACES:
        drive(llm, place, garbage)
    check(captured, 2 * len(PLACES))
    messages = [record.getMessage() for record in caplog.records]
    assert sorted(set(messages)) == sorted(messages)
    assert max(map(len, messages), default=0) < 400


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_in_every_place(
    name: str, instrument: Instrument, captured: Captured
) -> None:
    """Objects that no JSON makes, and large ones, of one provider here and of the next there."""
    garbage, first = HOSTILE[name](), list(HOSTILE).index(name)
    for number, place in enumerate(PLACES, first):
        drive(instrument(Raw(kind=KINDS[number % len(KINDS)])), place, garbage)
    check(captured, 2 * len(PLACES))


LOCKED = ("blocked", "block_reason", "guardrail", "content", "prompt_tokens")
# Where a provider's rows look, and one of its kinds.
LOOKED_AT = {
    "safety_ratings": "vertexai",
    "prompt_feedback": "chat-google-generative-ai",
    "trace": "amazon_bedrock_converse_chat",
    "logprobs": "openai-chat",
    "token_usage": "openai-chat",
}


@pytest.mark.parametrize("place", LOOKED_AT)
@pytest.mark.parametrize("mapping", [Locked(*LOCKED), Endless()], ids=["locked", "endless"])
def test_what_raises_costs_its_own_part(
    mapping: Any, place: str, instrument: Instrument, captured: Captured
) -> None:
    """Of every provider the usage is read all the same; where rows look, the failure is counted."""
    for kind in ("fake", *KINDS):
        drive(instrument(Raw(kind=kind)), f"response_metadata.{place}", mapping)
    assert {(one.read, one.written) for one in map(ended, captured.spans)} == {(INPUT, OUTPUT)}
    before = captured.total(names.INTERNAL_ERRORS.name)
    drive(instrument(Raw(kind=LOOKED_AT[place])), f"response_metadata.{place}", mapping)
    assert captured.total(names.INTERNAL_ERRORS.name) > before


@pytest.mark.parametrize(
    "hostile",
    [
        {"usage_metadata": {**usage(), "output_tokens": 2.0}},  # LangChain adds no such
        {"additional_kwargs": {"a": Nasty()}},
        {"content": [None]},
        {"response_metadata": Locked("finish_reason")},
    ],
    ids=lambda hostile: next(iter(hostile)),
)
def test_what_raises_in_a_chunk_costs_its_own_part(
    hostile: dict[str, Any], instrument: Instrument, captured: Captured
) -> None:
    """The rest of the chunk is read, and the failure counted."""
    fields = {
        "content": "a",
        "usage_metadata": None,
        "response_metadata": {"finish_reason": "stop"},
        "additional_kwargs": {},
        "tool_call_chunks": [{"name": "f"}],
        "id": "msg_1",
    }
    made = AIMessageChunk.model_construct(**{**fields, **hostile})
    last = ChatGenerationChunk.model_construct(message=made, generation_info=None)
    list(instrument(Raw(chunks=[chunk("a", usage()), last]))._stream([]))
    (span,) = captured.spans
    said = dict(span.attributes or {})
    reason = "missing" if "response_metadata" in hostile else "tool_calls"
    assert (ended(span).reasons, said[names.RESPONSE_ID]) == ((reason,), "msg_1")
    assert captured.total(names.INTERNAL_ERRORS.name, error_kind="chunk") == 1


ARGUMENTS = (
    "model", "model_name", "temperature", "max_tokens", "top_p", "top_k", "seed", "stop", "n",
    "stop_sequences", "reasoning_effort", "previous_response_id", "frequency_penalty",
)  # fmt: skip


@pytest.mark.parametrize("name", [*GARBAGE, *HOSTILE])
def test_garbage_in_the_request(name: str, instrument: Instrument, captured: Captured) -> None:
    """Arguments that make no sense, of the call or of the model, are the provider's affair."""
    garbage = {**GARBAGE, **HOSTILE}[name]()
    llm = instrument(Raw(kind="openai-chat"))
    for argument in ARGUMENTS:
        llm._generate([], **{argument: garbage})
        llm.__dict__[argument] = garbage
        llm._generate([])
        del llm.__dict__[argument]
    check(captured, 2 * len(ARGUMENTS))


class NastyError(Exception):
    """An error that raises at whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("str")


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_an_error(name: str, instrument: Instrument, captured: Captured) -> None:
    """The error that the caller gets is the provider's, whatever it carries."""
    error = ValueError(GARBAGE[name]())
    for attribute in ("code", "type", "status_code", "body", "response"):
        setattr(error, attribute, GARBAGE[name]())
    for kind in KINDS:
        with pytest.raises(ValueError, check=lambda raised: raised is error):
            instrument(Raw(kind=kind, errors=[error]))._generate([])
    with pytest.raises(NastyError):
        instrument(Raw(errors=[NastyError()]))._generate([])
    check(captured, len(KINDS) + 1)
