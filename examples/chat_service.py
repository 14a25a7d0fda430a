"""A chat service that streams: `uvicorn examples.chat_service:app`.

A client that hangs up in the middle leaves the stream: that call is `abandoned` or `cancelled`, and
counts the tokens that came until then, when the provider reports them on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain_openai import ChatOpenAI

import replymeter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

replymeter.start()
llm = replymeter.instrument(ChatOpenAI(model="gpt-5-mini", stream_usage=True))
app = FastAPI()


@app.post("/chat")
async def chat(question: str) -> StreamingResponse:
    """Answer *question*, piece by piece."""

    async def words() -> AsyncIterator[str]:
        async for chunk in llm.astream(question):
            yield chunk.text

    return StreamingResponse(words(), media_type="text/plain")
