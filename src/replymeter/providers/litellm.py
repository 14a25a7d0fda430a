"""LiteLLM, a client for everybody's servers: the model's prefix names whose.

`ChatLiteLLM` hands back the request's model as the response's, no id, and finish reasons that
litellm has already turned into OpenAI's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replymeter.providers import openai
from replymeter.providers.spec import Provider

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

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


LITELLM = Provider(
    name="litellm",
    source="https://docs.litellm.ai/docs/completion/output",
    date="2026-11-24",
    llm_types=("litellm-chat",),
    ls_providers=("litellm",),
    urls=("base_url", "api_base"),
    usage=(openai.TOKEN_USAGE,),
    finish_reasons=openai.FINISH_REASONS,
    error_texts=(openai.TOO_LONG,),
    calls=_by_prefix,
)
