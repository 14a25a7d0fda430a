"""Small real chat models, one for each way in which a class may call its provider.

And `endings`: how the calls ended, as values that a test can compare.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.runnables import Runnable
    from opentelemetry.sdk.trace import ReadableSpan

    from replymeter.testing import Captured

INPUT, OUTPUT = 10, 20
"""The tokens of `reply()`, and of `script()` in all."""


def usage(read: int = INPUT, written: int = OUTPUT, **more: Any) -> UsageMetadata:
    """What a provider reports: *read* input and *written* output tokens."""
    counts = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    return cast("UsageMetadata", {**counts, **more})


def reply(text: str = "hi", reason: str | None = "stop", **more: Any) -> AIMessage:
    """A message with usage and finish *reason*; *more* are fields of it and win."""
    metadata = {} if reason is None else {"finish_reason": reason}
    fields = {"usage_metadata": usage(), "response_metadata": metadata, **more}
    return AIMessage(content=text, **fields)


def result(*messages: AIMessage, **llm_output: Any) -> ChatResult:
    """What `_generate` returns: a choice for each message."""
    generations = [ChatGeneration(message=message) for message in messages or (reply(),)]
    return ChatResult(generations=generations, llm_output=llm_output)


def chunk(
    text: str = "", counts: UsageMetadata | None = None, **metadata: Any
) -> ChatGenerationChunk:
    """One chunk of a stream, with *metadata* of the response."""
    message = AIMessageChunk(content=text, usage_metadata=counts, response_metadata=metadata)
    return ChatGenerationChunk(message=message)


def script() -> list[ChatGenerationChunk]:
    """A stream of two words that adds up to `INPUT` and `OUTPUT` tokens."""
    return [
        chunk("one ", usage(INPUT, 0)),
        chunk("two", usage(0, OUTPUT)),
        chunk(finish_reason="stop"),
    ]


def events() -> list[dict[str, Any]]:
    """The same stream in LangChain's event protocol."""
    word = {"event": "content-block-delta", "index": 0}
    block = {"type": "text", "text": "one two", "index": 0}
    return [
        {"event": "message-start", "id": "msg-1"},
        {"event": "content-block-start", "index": 0, "content": {**block, "text": ""}},
        {**word, "delta": {"type": "text-delta", "text": "one "}},
        {**word, "delta": {"type": "text-delta", "text": "two"}},
        {"event": "content-block-finish", "index": 0, "content": block},
        {"event": "message-finish", "usage": usage(), "metadata": {"finish_reason": "stop"}},
    ]


class SyncModel(BaseChatModel):
    """Has `_generate` only; LangChain runs that in a thread for async calls.

    Before it answers it waits *seconds*, then raises the next of *errors*, if any is left.
    """

    model: str = "fake-1"
    answer: Any = Field(default_factory=result)
    errors: list[Any] = Field(default_factory=list)
    seconds: float = 0.0
    temperature: float | None = None

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Take any tools."""
        return self.bind(tools=list(tools), **kwargs)

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        time.sleep(self.seconds)
        self._fail()
        return self._answer(messages)

    def _answer(self, messages: Any) -> ChatResult:
        answered: ChatResult = self.answer
        return answered

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class PerPrompt(SyncModel):
    """Answers each prompt by *answers*; an exception there is raised."""

    answers: dict[str, Any] = Field(default_factory=dict)

    def _answer(self, messages: Any) -> ChatResult:
        answer = self.answers[messages[-1].content]
        if isinstance(answer, Exception):
            raise answer
        return result(answer)


class AsyncModel(SyncModel):
    """Has `_agenerate` of its own."""

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(self.seconds)
        self._fail()
        return self._answer(messages)


class StreamModel(SyncModel):
    """Streams *chunks*, with `_stream` only; an exception, or its class, is raised there."""

    chunks: list[Any] = Field(default_factory=script)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self._fail()
        yield from map(_chunk_or_error, self.chunks)


class AsyncStreamModel(StreamModel, AsyncModel):
    """Has every method; waits *seconds* before each chunk of `_astream`."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        self._fail()
        for item in self.chunks:
            await asyncio.sleep(self.seconds)
            yield _chunk_or_error(item)


class StreamsInside(StreamModel):
    """Answers by its own stream, as ChatGroq(streaming=True) does."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return generate_from_stream(self._stream(*args, **kwargs))


class CallsSuper(SyncModel):
    """Answers by its parent's `_generate`."""

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return super()._generate(*args, **kwargs)


class Router(SyncModel):
    """Hands each call to *inner*, another chat model."""

    inner: Any = Field(default_factory=SyncModel)

    def _answer(self, messages: Any) -> ChatResult:
        return result(self.inner.invoke(messages))


class EventModel(SyncModel):
    """Has the native event streams *events*, and no chunks."""

    events: list[Any] = Field(default_factory=events)

    def _stream_chat_model_events(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from self.events

    async def _astream_chat_model_events(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for event in self.events:
            yield event


def _chunk_or_error(item: Any) -> ChatGenerationChunk:
    if not hasattr(item, "message"):
        raise item
    # LangChain changes chunks in place: a script must give the same ones again.
    fresh: ChatGenerationChunk = item.model_copy(update={"message": item.message.model_copy()})
    return fresh


class Provider(SyncModel):
    """Says that it is the class of a known provider: *kind* is its `_llm_type`."""

    kind: str = "fake"

    @property
    def _llm_type(self) -> str:
        return self.kind


class Ended(NamedTuple):
    """Outcome, finish reasons, tokens, error type, status, names of the span's events."""

    outcome: str | None = "ok"
    reasons: tuple[str, ...] = ("stop",)
    read: int | None = INPUT
    written: int | None = OUTPUT
    error: str | None = None
    status: str = "UNSET"
    events: tuple[str, ...] = ()


OK = Ended()
FAILED = Ended("error", ("error",), None, None, "_OTHER", "ERROR")
CANCELLED = Ended("cancelled", ("cancelled",), None, None)


def ended(span: ReadableSpan) -> Ended:
    """How the call of *span* ended."""
    said: dict[str, Any] = dict(span.attributes or {})
    return Ended(
        said.get(names.OUTCOME),
        said.get(names.FINISH_REASONS, ()),
        said.get(names.USAGE_INPUT_TOKENS),
        said.get(names.USAGE_OUTPUT_TOKENS),
        said.get(names.ERROR_TYPE),
        span.status.status_code.name,
        tuple(event.name for event in span.events),
    )


def endings(captured: Captured) -> list[Ended]:
    """How every call ended, in that order; that the metrics say the same in sum is asserted."""
    spans = [ended(span) for span in captured.spans]
    read = sum(one.read or 0 for one in spans)
    written = sum(one.written or 0 for one in spans)
    choices = sum(len(one.reasons) for one in spans)
    in_spans: list[float] = [len(spans), read, written, written, choices, 0]
    in_metrics = [
        captured.count(names.DURATION.name),
        captured.total(names.INPUT_TOKENS.name),
        captured.total(names.OUTPUT_TOKENS.name),
        captured.total(names.OUTPUT_TOKENS_BY_REASON.name),
        captured.total(names.FINISH_REASON_COUNT.name),
        captured.total(names.INTERNAL_ERRORS.name),
    ]
    assert in_spans == in_metrics
    return spans
