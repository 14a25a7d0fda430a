"""Recorded replies, and a chat model that gives them again: no provider's package is needed.

An answer is what a provider's class made in one mode: `generations` and `llm_output` when
invoked, `chunks` when streamed; and `error`, where one ended it. `tools/record.py` writes them.
"""

# ruff: noqa: ARG002  # the signatures are LangChain's, and a recording does not listen

from __future__ import annotations

import asyncio
import builtins
import json
import time
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    Answer = Mapping[str, Any]

_REPLIES = Path(__file__).parent / "replies.json"


@cache
def recorded_replies() -> dict[str, Any]:
    """Of each flavour: `class`, `package`, `identity` and `cases`. Shared: do not change it."""
    replies: dict[str, Any] = json.loads(_REPLIES.read_text(encoding="utf-8"))
    return replies


class ReplayModel(BaseChatModel):
    """Gives `answers`, by mode, after `delay` seconds, and a chunk every `pause` seconds.

    `identity` is what tells which provider's class was recorded.
    """

    model_config = ConfigDict(extra="allow")

    answers: dict[str, Any]
    identity: dict[str, Any]
    delay: float = 0.0
    pause: float = 0.0

    @property
    def _llm_type(self) -> str:
        return str(self.identity["llm_type"])

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return dict(self.identity["ls_params"])

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        time.sleep(self.delay)
        return result_of(self.answers["invoke"])

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(self.delay)
        return result_of(self.answers["invoke"])

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        wait = self.delay
        for chunk in chunks_of(self.answers["stream"]):
            time.sleep(wait)
            yield chunk
            wait = self.pause

    async def _astream(
        self, messages: Any, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        wait = self.delay
        for chunk in chunks_of(self.answers["stream"]):
            await asyncio.sleep(wait)
            yield chunk
            wait = self.pause


def replay_model(flavour: Mapping[str, Any], answers: Answer, **settings: Any) -> ReplayModel:
    """A model that looks like the recorded class of *flavour* and gives *answers*."""
    identity = flavour["identity"]
    return ReplayModel(
        answers=dict(answers), identity=identity, **identity["attributes"], **settings
    )


def result_of(answer: Answer) -> ChatResult:
    """The result that was recorded; raises the error that was recorded instead."""
    if "error" in answer:
        raise error_of(answer["error"])
    generations = [
        ChatGeneration(
            message=_message(AIMessage, generation["message"]),
            generation_info=generation.get("generation_info"),
        )
        for generation in answer["generations"]
    ]
    return ChatResult(generations=generations, llm_output=answer.get("llm_output"))


def chunks_of(answer: Answer) -> Iterator[ChatGenerationChunk]:
    """The chunks that were recorded, and then the error, if there was one."""
    for chunk in answer.get("chunks", ()):
        message = _message(AIMessageChunk, chunk["message"])
        yield ChatGenerationChunk(message=message, generation_info=chunk.get("generation_info"))
    if "error" in answer:
        raise error_of(answer["error"])


def _message(kind: type[Any], fields: Mapping[str, Any]) -> Any:
    own = {key: fields[key] for key in ("content", "tool_calls", "tool_call_chunks", "id")
           if key in fields}  # fmt: skip
    message = kind(**{"content": "", **own})
    # Set, not given: older langchain-core drops the counts that its types do not name.
    message.usage_metadata = fields.get("usage_metadata")
    message.response_metadata = fields.get("response_metadata", {})
    message.additional_kwargs = fields.get("additional_kwargs", {})
    return message


def error_of(recorded: Mapping[str, Any]) -> Exception:
    """An exception with the recorded one's class names, text and fields."""
    names = list(recorded["classes"])
    base: type[Any] = Exception
    while names and isinstance(getattr(builtins, names[-1], None), type):
        base = getattr(builtins, names.pop())
    for name in reversed(names):
        base = type(name, (base,), {"__module__": recorded["module"]})
    error: Exception = base(recorded["text"])
    for name, value in recorded["fields"].items():
        setattr(error, name, value)
    if "response_status" in recorded:
        vars(error)["response"] = SimpleNamespace(status_code=recorded["response_status"])
    return error
