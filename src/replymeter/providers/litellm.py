"""LiteLLM, a client for everybody's servers: the model's prefix names whose.

`ChatLiteLLM` hands back the request's model as the response's, no id, and finish reasons that
litellm has already turned into OpenAI's words. Where a stream reports no usage or no finish reason,
litellm makes up both, the counts by a tokenizer of its own, and nothing tells them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter.paths import count
from replymeter.providers import openai
from replymeter.providers.spec import Provider
from replymeter.reading import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

    from replymeter.reading import Reading

# https://docs.litellm.ai/docs/providers, read 2026-11-24.
_PREFIXES = {
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "groq": "groq",
    "huggingface": "huggingface",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "nvidia_nim": "nvidia",
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together_ai": "together",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


def _by_prefix(model: BaseChatModel) -> str | None:
    name = model._get_ls_params().get("ls_model_name") or ""  # noqa: SLF001
    return _PREFIXES.get(name.partition("/")[0])


def _without_a_choice(reading: Reading, choice: Mapping[str, Any]) -> Reading:
    # Where there is no message to carry the counts, an object of litellm's has them.
    counts = choice["response_metadata"].get("token_usage")
    read = count(getattr(counts, "prompt_tokens", None))
    if reading.usage is not None or read is None:
        return reading
    written = count(getattr(counts, "completion_tokens", None))
    return reading._replace(usage=Usage(input_tokens=read, output_tokens=written))


LITELLM = Provider(
    name="litellm",
    source="https://docs.litellm.ai/docs/completion/output",
    date="2026-11-24",
    llm_types=("litellm-chat",),
    ls_providers=("litellm",),
    urls=("base_url", "api_base"),
    usage=(openai.TOKEN_USAGE,),
    # litellm fills in what a stream does not say.
    invented_zeros=("reasoning",),
    finish_reasons=openai.FINISH_REASONS,
    error_codes={"MidStreamFallbackError": "stream_broken"},
    error_texts=(openai.TOO_LONG,),
    calls=_by_prefix,
    repair=_without_a_choice,
)
