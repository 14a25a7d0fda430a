"""How each provider frames a stream on the wire: SSE, NDJSON, AWS event stream, JSON array."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]

_STREAM_PATHS = (
    ":streamGenerateContent",
    "/invoke-with-response-stream",
    "/converse-stream",
    "/text/chat_stream",
)
_AWS = ("bedrock", "anthropic_bedrock")
_CONVERSE = "bedrock_converse"
_NAMED_EVENTS = frozenset({"anthropic", "anthropic_vertex", "cohere", "openai_responses"})
_UNENDED = frozenset({"gemini", "gemini_vertex"})
_MEDIA_TYPES = {"vertexai": "application/json", "ollama": "application/x-ndjson"}
_AWS_STRING = 7


def wants_stream(path: str, body: Mapping[str, Any]) -> bool:
    """Providers ask for a stream in the body (`"stream": true`) or by the path."""
    return body.get("stream") is True or path.endswith(_STREAM_PATHS)


def content_type(flavour: str) -> str:
    """The media type under which a flavour streams."""
    if flavour.startswith(_AWS):
        return "application/vnd.amazon.eventstream"
    return _MEDIA_TYPES.get(flavour, "text/event-stream")


def frames(flavour: str, events: Sequence[Event], *, complete: bool) -> Iterator[bytes]:
    """One piece of bytes for each event; `complete` adds what closes a stream properly."""
    if flavour.startswith(_AWS):
        return (_aws_message(flavour, event) for event in events)
    if flavour == "vertexai":
        return _json_array(events, complete=complete)
    if flavour == "ollama":
        return (_json(event) + b"\n" for event in events)
    if flavour == "watsonx":
        return map(_watsonx_event, events)
    if flavour in _NAMED_EVENTS:
        return (_named(str(event["type"]), event) for event in events)
    return _chat_completions(events, complete=complete and flavour not in _UNENDED)


def _named(name: str, event: Event) -> bytes:
    return b"event: " + name.encode() + b"\n" + _data(event)


def _watsonx_event(event: Event) -> bytes:
    return _named("error" if "errors" in event else "message", event)


def _data(event: Event) -> bytes:
    return b"data: " + _json(event) + b"\n\n"


def _json(value: Event) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _chat_completions(events: Sequence[Event], *, complete: bool) -> Iterator[bytes]:
    yield from map(_data, events)
    if complete:
        yield b"data: [DONE]\n\n"


def _json_array(events: Sequence[Event], *, complete: bool) -> Iterator[bytes]:
    """Google's REST streams: one JSON array, an element at a time."""
    for index, event in enumerate(events):
        yield (b",\r\n" if index else b"[") + _json(event)
    if complete:
        yield b"]" if events else b"[]"


def _aws_message(flavour: str, event: Event) -> bytes:
    """One `application/vnd.amazon.eventstream` message, with both of its CRCs.

    `{"exception": name, "message": text}` becomes an exception message; any other event has one
    key, its type. InvokeModel's `chunk` carries the model's own JSON as base64.
    """
    if "exception" in event:
        return _aws_frame(
            "exception", str(event["exception"]), {"message": event.get("message", "")}
        )
    name, payload = next(iter(event.items()))
    if not flavour.startswith(_CONVERSE):
        payload = {"bytes": base64.b64encode(_json(payload)).decode()}
    return _aws_frame("event", name, payload)


def _aws_frame(kind: str, name: str, payload: Event) -> bytes:
    headers = b"".join(
        _aws_header(key, value)
        for key, value in (
            (f":{kind}-type", name),
            (":content-type", "application/json"),
            (":message-type", kind),
        )
    )
    body = _json(payload)
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    head = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return head + struct.pack(">I", zlib.crc32(head))


def _aws_header(key: str, value: str) -> bytes:
    name, text = key.encode(), value.encode()
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _AWS_STRING, len(text)) + text
