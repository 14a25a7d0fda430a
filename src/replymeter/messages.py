"""LangChain's messages as the conventions' JSON: roles, and parts of text, tools and media.

Schemas: `model/gen-ai/gen-ai-input-messages.json` and its kin in semantic-conventions-genai, read
2026-11-24. The bytes of images, audio and files are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

Json = Any

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


def system_instructions(messages: Iterable[Any]) -> list[Json]:
    """The parts of the system messages."""
    return [
        part for message in messages if _role(message) == "system" for part in parts_of(message)
    ]


def chat_messages(messages: Iterable[Any]) -> list[Json]:
    """The other messages, in order."""
    return [
        {"role": _role(message), "parts": list(parts_of(message)), **_named(message)}
        for message in messages
        if _role(message) != "system"
    ]


def _role(message: Any) -> str:
    kind = str(message.type).removesuffix("MessageChunk").lower()
    return _ROLES.get(kind) or str(getattr(message, "role", kind))


def _named(message: Any) -> dict[str, str]:
    return {"name": message.name} if message.name else {}


def parts_of(message: Any) -> Iterator[Json]:
    """The parts of *message*."""
    if _role(message) == "tool":
        yield {
            "type": "tool_call_response",
            "id": message.tool_call_id,
            "response": _response(message.content),
        }
        return
    for block in message.content_blocks:
        yield part_of(block)


def _response(content: Any) -> Json:
    if isinstance(content, str):
        return content
    return [part_of(block) if isinstance(block, Mapping) else block for block in content]


def tool_definitions(tools: Iterable[Any]) -> list[Json]:
    """The tools that a call offers.

    LangChain's packages hand them on in OpenAI's shape, in Anthropic's, or in Cohere's own class.
    """
    return [_tool_definition(tool) for tool in tools]


def _tool_definition(tool: Any) -> Json:
    said = tool.model_dump() if isinstance(tool, BaseModel) else tool
    if not isinstance(said, Mapping):
        return {"type": "generic", "name": type(tool).__name__}
    kind, function = str(said.get("type") or "function"), said.get("function") or said
    definition = {
        "type": kind,  # another than `function` is one that the provider has itself
        "name": function.get("name") or kind,
        "description": function.get("description"),
        "parameters": function.get("parameters", function.get("input_schema")),
    }
    return {key: value for key, value in definition.items() if value is not None}


def part_of(block: Mapping[str, Any]) -> Json:
    """The part that one of LangChain's standard content blocks is."""
    kind = str(block.get("type"))
    reader = _READERS.get(kind)
    return reader(block) if reader else {"type": "generic"}


def _tool_call(block: Mapping[str, Any]) -> Json:
    called = {"type": "tool_call", "name": block.get("name"), "arguments": block.get("args")}
    return {**called, "id": block.get("id")}


def _server_tool_call(block: Mapping[str, Any]) -> Json:
    name = block.get("name") or ""  # the conventions want a text, known or not
    call = {"type": name, "arguments": block.get("args")}
    return {
        "type": "server_tool_call",
        "id": block.get("id"),
        "name": name,
        "server_tool_call": call,
    }


def _server_tool_result(block: Mapping[str, Any]) -> Json:
    response = {"type": "output", "status": block.get("status"), "output": block.get("output")}
    call = block.get("tool_call_id")
    return {"type": "server_tool_call_response", "id": call, "server_tool_call_response": response}


def _media(modality: str) -> Callable[[Mapping[str, Any]], Json]:
    def media(block: Mapping[str, Any]) -> Json:
        said = {"modality": modality, "mime_type": block.get("mime_type")}
        url = block.get("url")
        if url and not str(url).startswith("data:"):
            return {"type": "uri", **said, "uri": url}
        if block.get("file_id"):
            return {"type": "file", **said, "file_id": block["file_id"]}
        return {"type": "blob", **said, "content": ""}

    return media


_READERS: dict[str, Callable[[Mapping[str, Any]], Json]] = {
    "text": lambda block: {"type": "text", "content": block.get("text", "")},
    "text-plain": lambda block: {"type": "text", "content": block.get("text", "")},
    "reasoning": lambda block: {"type": "reasoning", "content": block.get("reasoning", "")},
    "tool_call": _tool_call,
    "tool_call_chunk": _tool_call,
    "invalid_tool_call": _tool_call,
    "server_tool_call": _server_tool_call,
    "server_tool_result": _server_tool_result,
    "image": _media("image"),
    "audio": _media("audio"),
    "video": _media("video"),
    "file": _media("document"),
}
