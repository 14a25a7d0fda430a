"""LangChain's native event streams, seen as chunks: only what `Fold.take` looks at."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


_END = "message-finish"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class EventMessage(NamedTuple):
    """The part of an `AIMessageChunk` that an event of the protocol carries."""

    content: str | list[Any] = ""
    tool_call_chunks: tuple[Any, ...] = ()
    response_metadata: Mapping[str, Any] = _NOTHING
    additional_kwargs: Mapping[str, Any] = _NOTHING
    usage_metadata: Any = None
    id: Any = None


class EventChunk(NamedTuple):
    """The part of a `ChatGenerationChunk`, and the *event* it is made of.

    What stands beside the message there is in it here.
    """

    message: EventMessage
    event: Mapping[str, Any]
    generation_info: None = None


def is_last(event: Any) -> bool:
    """Whether *event* ends the message: LangChain reads no further."""
    return isinstance(event, dict) and event.get("event") == _END


def chunk_of(event: Mapping[str, Any]) -> EventChunk:
    """*event* (`langchain_protocol.MessagesData`, 0.0.20) as a chunk.

    `message-finish` carries the usage and, off the protocol's own types as in langchain-core
    1.7's bridge, `metadata` and `additional_kwargs`.
    """
    return EventChunk(_message(event), event)


def _message(event: Mapping[str, Any]) -> EventMessage:
    kind = event.get("event")
    if kind == "content-block-delta":
        delta = event.get("delta") or {}
        text = delta.get("text") if delta.get("type") == "text-delta" else None
        called = delta.get("type") == "tool-call-delta"
        return EventMessage(content=text or "", tool_call_chunks=(delta,) if called else ())
    if kind == "content-block-finish":
        block = event.get("content") or {}
        if block.get("type") == "refusal":
            return EventMessage(content=[{"type": "refusal"}])
        return EventMessage(tool_call_chunks=(block,) if block.get("type") == "tool_call" else ())
    if kind == _END:
        return EventMessage(
            response_metadata=event.get("metadata") or {},
            additional_kwargs=event.get("additional_kwargs") or {},
            usage_metadata=event.get("usage"),
        )
    return EventMessage(id=event.get("id") if kind == "message-start" else None)
