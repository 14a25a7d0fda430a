"""What people and models wrote, when that is asked for: read, redacted, cut to size.

Off unless `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` or `capture_content` says where
it goes. When the redaction fails, nothing is recorded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import add_ai_message_chunks
from opentelemetry._logs import (
    LogRecord,
    NoOpLoggerProvider,
    SeverityNumber,
    get_logger_provider,
)
from opentelemetry._logs._internal import ProxyLoggerProvider

from replymeter import conventions as names
from replymeter.events import EventChunk
from replymeter.messages import Json, chat_messages, part_of, system_instructions, tool_definitions

if TYPE_CHECKING:
    from langchain_core.outputs import ChatResult
    from opentelemetry.context import Context

    from replymeter.settings import Capture
    from replymeter.telemetry import Telemetry

_SHORTEST = 32  # characters; texts are not cut below it, whole messages go instead
_SHORTEST_MESSAGE = len('{"role":"","parts":[]}')
_DEEPEST = 16
_SILENT = (ProxyLoggerProvider, NoOpLoggerProvider)
_NO_LOGS = (
    "replymeter: content is captured for events, and no OpenTelemetry logger provider is set up, "
    "so it goes nowhere. Set one with opentelemetry._logs.set_logger_provider, or capture "
    "`span_only`."
)


class Content:
    """The content of one call: its messages, and what came, chunk by chunk or whole."""

    __slots__ = ("_blocks", "_capture", "_chunks", "_kept", "_messages", "_telemetry", "_tools")

    def __init__(self, capture: Capture, messages: Any, tools: Any, telemetry: Telemetry) -> None:
        self._capture = capture
        self._telemetry = telemetry
        self._messages = tuple(messages or ())  # the caller's list may grow meanwhile
        self._tools = tuple(tools) if isinstance(tools, (list, tuple)) else ()
        self._chunks: list[AIMessageChunk] = []
        self._blocks: list[Json] = []
        self._kept = 0

    def take(self, item: Any) -> None:
        """Keep one `ChatGenerationChunk`, or `EventChunk`, until the limit is reached."""
        if self._kept > self._capture.limit:
            return
        if isinstance(item, EventChunk):
            if item.event.get("event") == "content-block-finish":
                self._blocks.append(item.event.get("content") or {})
                self._kept += len(str(self._blocks[-1]))
        elif isinstance(item.message, AIMessageChunk):
            self._chunks.append(item.message.model_copy())
            self._kept += len(str(item.message.content)) + len(str(item.message.tool_call_chunks))

    def publish(
        self, written: Mapping[str, Json], event: Mapping[str, Any] | None, context: Context
    ) -> dict[str, str]:
        """Send *written* with the attributes of *event*, give it for the span: as asked for."""
        if event is not None and self._capture.on_event:
            emit_details(self._telemetry, {**event, **written}, context)
        return _as_text(written) if self._capture.on_span else {}

    def read(self, result: ChatResult | None, error: BaseException | None) -> dict[str, Json]:
        """The attributes, as the conventions structure them, redacted and cut.

        None of them, and a count, when anything goes wrong, above all in the redaction.
        """
        try:
            return self._read(result, error)
        except Exception as broken:  # noqa: BLE001
            self._telemetry.failed("content", broken)
            return {}

    def _read(self, result: ChatResult | None, error: BaseException | None) -> dict[str, Json]:
        limit, redact = self._capture.limit, self._capture.redact
        newest = self._messages[-(limit // _SHORTEST_MESSAGE + 1) :]  # no more can have room
        said = {
            names.SYSTEM_INSTRUCTIONS: system_instructions(self._messages),
            names.TOOL_DEFINITIONS: tool_definitions(self._tools),
            names.INPUT_MESSAGES: chat_messages(newest),
            names.OUTPUT_MESSAGES: self._output(result),
            names.EXCEPTION_MESSAGE: str(error) if isinstance(error, Exception) else None,
        }
        found = {name: plain(value) for name, value in said.items() if value}
        if redact is not None:
            found = {name: plain(redact(name, value)) for name, value in found.items()}
        return {name: fitted(value, limit) for name, value in found.items() if value}

    def _output(self, result: ChatResult | None) -> list[Json]:
        if result is not None:
            return chat_messages(generation.message for generation in result.generations)
        if self._blocks:
            return [{"role": "assistant", "parts": [part_of(block) for block in self._blocks]}]
        if not self._chunks:
            return []
        end = AIMessageChunk(
            content="", chunk_position="last"
        )  # now tool calls are whole, not pieces
        return chat_messages([add_ai_message_chunks(*self._chunks, end)])


def _as_text(attributes: Mapping[str, Json]) -> dict[str, str]:
    """*attributes* as a span can have them: JSON."""
    return {
        name: value if isinstance(value, str) else _dumps(value)
        for name, value in attributes.items()
    }


def fitted(value: Json, limit: int) -> Json:
    """*value* with at most *limit* characters of JSON: long texts cut, then old messages gone."""
    if isinstance(value, str):
        return value[:limit]
    longest = limit
    while len(_dumps(value)) > limit:
        if longest > _SHORTEST:
            longest //= 2
            value = plain(value, longest)
        elif len(value) > 1:
            value = value[len(value) // 2 :]
        else:
            return []
    return value


def plain(value: Any, longest: int | None = None, depth: int = 0) -> Json:
    """*value* as JSON has it; texts cut to *longest* characters, other things by type."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        # OTLP is UTF-8: one lone surrogate would cost the whole batch.
        return value[:longest].encode(errors="replace").decode()
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {str(k)[:longest]: plain(v, longest, depth + 1) for k, v in value.items()}
    if depth < _DEEPEST and isinstance(value, (list, tuple)):
        return [plain(one, longest, depth + 1) for one in value]
    return type(value).__name__


def _dumps(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def emit_details(telemetry: Telemetry, attributes: Mapping[str, Any], context: Context) -> None:
    """Send the event with the span's *attributes* and the content, in its *context*."""
    try:
        if not telemetry.given and isinstance(get_logger_provider(), _SILENT):
            telemetry.warn_once(_NO_LOGS)
        record = LogRecord(
            timestamp=time_ns(),
            context=context,
            severity_number=SeverityNumber.DEBUG,
            event_name=names.DETAILS_EVENT,
            attributes=attributes,
        )
        telemetry.logger.emit(record)
    except Exception as error:  # noqa: BLE001
        telemetry.failed("content", error)
