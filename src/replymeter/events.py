"""LangChain's native event streams, seen as chunks: only what `Fold.add` looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class EventMessage:
    """The part of an `AIMessageChunk` that an event of the protocol carries."""

    content: str = ""
    tool_call_chunks: tuple[Any, ...] = ()
    response_metadata: Mapping[str, Any] = field(default_factory=dict)
    additional_kwargs: Mapping[str, Any] = field(default_factory=dict)
    usage_metadata: Any = None
    id: Any = None
    last: bool = False


def message_of(event: Mapping[str, Any]) -> EventMessage:
    """What *event* (`langchain_protocol.MessagesData`, 0.0.20) says, as a chunk's message.

    `message-finish` carries the usage and, off the protocol's own types as in langchain-core
    1.7's bridge, `metadata` and `additional_kwargs`.
    """
    kind = event.get("event")
    if kind == "content-block-delta":
        delta = event.get("delta") or {}
        if delta.get("type") == "text-delta":
            return EventMessage(content=delta.get("text") or "")
        called = "tool_call" in str(delta.get("type")) or "tool_call" in str(delta.get("fields"))
        return EventMessage(tool_call_chunks=(delta,) if called else ())
    if kind == "message-finish":
        return EventMessage(
            response_metadata=event.get("metadata") or {},
            additional_kwargs=event.get("additional_kwargs") or {},
            usage_metadata=event.get("usage"),
            last=True,
        )
    return EventMessage(id=event.get("id") if kind == "message-start" else None)
