"""The metadata of the eight systems the project was conceived for: no `usage_metadata` at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.testing import Captured

_RATINGS = [
    {"category": f"HARM_CATEGORY_{name}", "probability_label": "NEGLIGIBLE", "blocked": False}
    for name in ("HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT")
]
_BLOCKED = [{**_RATINGS[0], "probability_label": "HIGH", "blocked": True}, *_RATINGS[1:]]
_VERTEX = {
    "is_blocked": False,
    "safety_ratings": _RATINGS,
    "citation_metadata": None,
    "usage_metadata": {
        "prompt_token_count": 10,
        "candidates_token_count": 30,
        "total_token_count": 40,
    },
}

# `_llm_type`, base URL, metadata, then what must come out: provider, in, out, reason, blocks.
SEEDS: dict[str, tuple[str, str | None, dict[str, Any], tuple[Any, ...]]] = {
    "openai": (
        "openai-chat",
        None,
        {
            "token_usage": {"completion_tokens": 164, "prompt_tokens": 17, "total_tokens": 181},
            "model_name": "gpt-4-turbo",
            "system_fingerprint": "fp_76f018034d",
            "finish_reason": "stop",
            "logprobs": None,
        },
        ("openai", 17, 164, "stop", []),
    ),
    "anthropic": (
        "anthropic-chat",
        None,
        {
            "id": "msg_01CzQyD7BX8nkhDNfT1QqvEp",
            "model": "claude-3-sonnet-20240229",
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 17, "output_tokens": 296},
        },
        ("anthropic", 17, 296, "stop", []),
    ),
    "vertexai": ("vertexai", None, _VERTEX, ("gcp.vertex_ai", 10, 30, "missing", [])),
    "vertexai blocked": (
        "vertexai",
        None,
        {**_VERTEX, "is_blocked": True, "safety_ratings": _BLOCKED},
        ("gcp.vertex_ai", 10, 30, "content_filter", [("response", "hate")]),
    ),
    "bedrock": (
        "amazon_bedrock_chat",
        None,
        {
            "model_id": "anthropic.claude-v2",
            "usage": {"prompt_tokens": 19, "completion_tokens": 371, "total_tokens": 390},
        },
        ("aws.bedrock", 19, 371, "missing", []),
    ),
    "mistralai": (
        "mistralai-chat",
        None,
        {
            "token_usage": {"prompt_tokens": 19, "total_tokens": 141, "completion_tokens": 122},
            "model": "mistral-small",
            "finish_reason": "stop",
        },
        ("mistral_ai", 19, 122, "stop", []),
    ),
    "groq": (
        "groq-chat",
        None,
        {
            "token_usage": {
                "completion_time": 0.243,
                "completion_tokens": 132,
                "prompt_time": 0.022,
                "prompt_tokens": 22,
                "queue_time": None,
                "total_time": 0.265,
                "total_tokens": 154,
            },
            "model_name": "mixtral-8x7b-32768",
            "system_fingerprint": "fp_7b44c65f25",
            "finish_reason": "stop",
            "logprobs": None,
        },
        ("groq", 22, 132, "stop", []),
    ),
    "together": (
        "openai-chat",
        "https://api.together.xyz/v1",
        {
            "token_usage": {"completion_tokens": 208, "prompt_tokens": 20, "total_tokens": 228},
            "model_name": "mistralai/Mixtral-8x7B-Instruct-v0.1",
            "system_fingerprint": None,
            "finish_reason": "eos",
            "logprobs": None,
        },
        ("together", 20, 208, "stop", []),
    ),
    "fireworks": (
        "fireworks-chat",
        None,
        {
            "token_usage": {"prompt_tokens": 19, "total_tokens": 219, "completion_tokens": 200},
            "model_name": "accounts/fireworks/models/mixtral-8x7b-instruct",
            "system_fingerprint": "",
            "finish_reason": "length",
            "logprobs": None,
        },
        ("fireworks", 19, 200, "length", []),
    ),
}


class SeedModel(BaseChatModel):
    """Replies with one seed's metadata: as `response_metadata`, or as `llm_output` and info."""

    kind: str
    seed: dict[str, Any]
    split: bool = False
    openai_api_base: str | None = None
    model: str = "m"

    @property
    def _llm_type(self) -> str:
        return self.kind

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        if not self.split:
            message = AIMessage("hi", response_metadata=self.seed)
            return ChatResult(generations=[ChatGeneration(message=message)])
        own = {"finish_reason", "stop_reason", "logprobs"}
        info = {key: value for key, value in self.seed.items() if key in own}
        shared = {key: value for key, value in self.seed.items() if key not in own}
        message = AIMessage("hi")
        generation = ChatGeneration(message=message, generation_info=info)
        return ChatResult(generations=[generation], llm_output=shared)

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content="hi"))
        yield ChatGenerationChunk(message=AIMessageChunk(content=""), generation_info=self.seed)


def _said(captured: Captured) -> tuple[Any, ...]:
    (span,) = captured.spans
    attributes = span.attributes or {}
    pairs = zip(
        attributes.get(names.BLOCK_STAGES, ()),  # type: ignore[arg-type]
        attributes.get(names.BLOCK_CATEGORIES, ()),  # type: ignore[arg-type]
        strict=True,
    )
    (reason,) = tuple(attributes[names.FINISH_REASONS])  # type: ignore[arg-type]
    said = (
        attributes[names.PROVIDER_NAME],
        attributes[names.USAGE_INPUT_TOKENS],
        attributes[names.USAGE_OUTPUT_TOKENS],
        reason,
        list(pairs),
    )
    assert captured.total(names.INPUT_TOKENS.name) == said[1]
    assert captured.total(names.OUTPUT_TOKENS.name) == said[2]
    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason=reason) == 1
    assert captured.total(names.SAFETY_BLOCKS.name) == len(said[4])
    return said


@pytest.mark.parametrize("where", ["response_metadata", "llm_output", "stream"])
@pytest.mark.parametrize("name", list(SEEDS))
def test_a_seed_gives_its_numbers_reason_and_blocks(
    name: str, where: str, instrument: Callable[..., Any], captured: Captured
) -> None:
    """Each dict is read exactly, wherever LangChain's packages of its day put it."""
    kind, url, seed, want = SEEDS[name]
    split = where == "llm_output"
    llm = instrument(SeedModel(kind=kind, seed=seed, split=split, openai_api_base=url))

    if where == "stream":
        list(llm.stream("hello"))
    else:
        llm.invoke("hello")

    assert want == _said(captured)


def test_groq_times_are_seconds(instrument: Callable[..., Any], captured: Captured) -> None:
    """Groq's times are on the span in seconds; one that is None is absent."""
    kind, _, seed, _ = SEEDS["groq"]

    instrument(SeedModel(kind=kind, seed=seed)).invoke("hello")

    attributes = captured.spans[0].attributes or {}
    times = {key: value for key, value in attributes.items() if key.endswith("_time")}
    assert times == {
        names.PROMPT_TIME: 0.022,
        names.COMPLETION_TIME: 0.243,
        names.TOTAL_TIME: 0.265,
    }
