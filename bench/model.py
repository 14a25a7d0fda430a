"""The chat model that is measured: it answers at once, so what is left is what is added.

Its replies look like ChatOpenAI's, with cached and reasoning tokens.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.messages.ai import UsageMetadata

USAGE: UsageMetadata = {
    "input_tokens": 1117,
    "output_tokens": 229,
    "total_tokens": 1346,
    "input_token_details": {"cache_read": 643},
    "output_token_details": {"reasoning": 131},
}
LLM_OUTPUT = {
    "token_usage": {
        "prompt_tokens": 1117,
        "completion_tokens": 229,
        "total_tokens": 1346,
        "prompt_tokens_details": {"cached_tokens": 643},
        "completion_tokens_details": {"reasoning_tokens": 131},
    },
    "model_name": "gpt-5-mini-2025-08-07",
    "id": "chatcmpl-1",
    "system_fingerprint": "fp_1",
}
ENDED = {"finish_reason": "stop", "logprobs": None}
CHUNKS = 200
"""The chunks of a stream that carry text; one more carries usage and finish reason."""


class Model(BaseChatModel):
    """Answers at once.

    With *fails* it raises instead, a stream after its first chunk; with *waits* `ainvoke` never
    ends by itself.
    """

    model_name: str = "gpt-5-mini"
    temperature: float = 0.5
    max_tokens: int = 1000
    stream_usage: bool = True
    chunks: int = CHUNKS
    fails: bool = False
    waits: bool = False

    @property
    def _llm_type(self) -> str:
        return "openai-chat"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return self.answer()

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        if self.waits:
            await asyncio.Event().wait()
        return self.answer()

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from self.pieces()

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self.pieces():
            yield chunk

    def answer(self) -> ChatResult:
        """One reply."""
        if self.fails:
            raise RuntimeError
        message = AIMessage(content="hi", usage_metadata=USAGE)
        choice = ChatGeneration(message=message, generation_info=dict(ENDED))
        return ChatResult(generations=[choice], llm_output=dict(LLM_OUTPUT))

    def pieces(self) -> Iterator[ChatGenerationChunk]:
        """The same reply in chunks."""
        said = {"model_provider": "openai"}
        for _ in range(self.chunks):
            message = AIMessageChunk(content="word ", response_metadata=dict(said))
            yield ChatGenerationChunk(message=message)
            if self.fails:
                raise RuntimeError
        info = {"finish_reason": "stop", "model_name": LLM_OUTPUT["model_name"]}
        last = AIMessageChunk(content="", usage_metadata=USAGE, response_metadata=said)
        yield ChatGenerationChunk(message=last, generation_info=info)
