"""Whatever a reply says, spans and metrics say the same of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

import replymeter
from replymeter.testing import capture_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    Instrument = Callable[..., Any]
from tests.garbage import GARBAGE, HOSTILE, KEYS, KINDS, Raw, check

OBJECTS = (
    "nasty", "nasty text", "nasty dict", "cyclic", "own text", "own number", "own dict", "locked",
    "endless", "list of the locked", "enum of texts", "enum of numbers", "enum of objects",
    "huge int", "two choices often",
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 100),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(("stop", "length", "tool_calls", "SAFETY", "end_turn")),
    st.sampled_from(OBJECTS).map(lambda name: {**GARBAGE, **HOSTILE}[name]()),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from((*KEYS, "prompt_tokens", "completion_tokens")), inner),
    ),
    max_leaves=8,
)
METADATA = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)
DETAILS = st.dictionaries(st.sampled_from(("cache_read", "reasoning", "audio")), SCALARS)
USAGE = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": SCALARS,
        "output_tokens": SCALARS,
        "total_tokens": SCALARS,
        "input_token_details": DETAILS | SCALARS,
        "output_token_details": DETAILS | SCALARS,
    },
)
FIELDS_OF_A_REPLY = st.fixed_dictionaries(
    {
        "content": st.text(max_size=3) | st.lists(VALUES, max_size=2),
        "response_metadata": METADATA,
        "usage_metadata": USAGE,
        "additional_kwargs": METADATA,
    }
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    replies=st.lists(st.tuples(FIELDS_OF_A_REPLY, METADATA), min_size=1, max_size=4),
    llm_output=METADATA,
)
def test_spans_and_metrics_agree_on_anything(
    kind: str, replies: list[tuple[dict[str, Any], dict[str, Any]]], llm_output: dict[str, Any]
) -> None:
    """The sum over spans is the metric, as choices of one reply and as chunks of one stream."""
    choices = [
        ChatGeneration.model_construct(
            message=AIMessage.model_construct(type="ai", id=None, tool_calls=[], **fields),
            generation_info=info,
        )
        for fields, info in replies
    ]
    chunks = [
        ChatGenerationChunk.model_construct(
            message=AIMessageChunk.model_construct(id=None, tool_call_chunks=[], **fields),
            generation_info=info,
        )
        for fields, info in replies
    ]
    answer = ChatResult.model_construct(generations=choices, llm_output=llm_output)
    with capture_telemetry() as captured:
        llm = replymeter.instrument(
            Raw(kind=kind, answer=answer, chunks=chunks),
            tracer_provider=captured.tracer_provider,
            meter_provider=captured.meter_provider,
        )
        assert llm._generate([]) is answer
        assert len(list(llm._stream([]))) == len(chunks)
        check(captured, 2)
        replymeter.uninstrument(llm)
