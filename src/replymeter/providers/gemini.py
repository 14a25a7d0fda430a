"""Google's Gemini models by `ChatGoogleGenerativeAI`: the Gemini API, and VertexAI.

A blocked prompt is only `prompt_feedback.block_reason`, which good answers have too, as None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from replymeter.providers.spec import Blocks, ErrorText, Field, Provider
from replymeter.providers.vertexai import CATEGORIES, VERTEXAI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

    from replymeter.reading import Reading


def _backend(model: BaseChatModel) -> str | None:
    # No host tells: both can be behind a proxy. `vertexai` is None where the class chose by itself.
    vertexai = getattr(model, "_use_vertexai", None) or getattr(model, "vertexai", None)
    return VERTEXAI.name if vertexai else None


def _rated(reading: Reading, _choice: Mapping[str, Any]) -> Reading:
    # Where a rating says why the prompt was blocked, SAFETY says nothing more.
    prompt = [block for block in reading.blocks if block.stage == "prompt"]
    if len(prompt) < 2 or not any(block.word == "SAFETY" for block in prompt):
        return reading
    return reading._replace(blocks=tuple(b for b in reading.blocks if b.word != "SAFETY"))


GEMINI = Provider(
    name="gcp.gemini",
    price_list="google",
    source="https://ai.google.dev/api/generate-content",
    date="2026-11-24",
    llm_types=("chat-google-generative-ai",),
    ls_providers=("google_genai",),
    hosts=("generativelanguage.googleapis.com",),
    urls=("client._api_client._http_options.base_url", "base_url"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model_name", kind="name"),
        Field(
            attribute=names.CITATIONS,
            path="response_metadata.grounding_metadata.grounding_chunks.*",
            kind="count",
        ),
    ),
    # The class fills in what the server did not count.
    invented_zeros=("input_tokens", "output_tokens", "cache_read"),
    finish_reasons={**VERTEXAI.finish_reasons, "CONTINUATION": "other"},
    ignored_reasons=VERTEXAI.ignored_reasons,
    blocks=(
        *VERTEXAI.blocks,
        Blocks(
            path="response_metadata.prompt_feedback.safety_ratings.*",
            stage="prompt",
            word="category",
            when="blocked",
            categories=CATEGORIES,
        ),
    ),
    block_words=VERTEXAI.block_words,
    # A wrong key is a 400 like any other.
    error_texts=(ErrorText("API key not valid", "authentication"),),
    calls=_backend,
    repair=_rated,
)
