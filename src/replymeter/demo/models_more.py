"""Google's, AWS' other, IBM's, Hugging Face's, Cohere's and Ollama's chat models, as `models`."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

_KEY = "not-a-key"
_WATSONX = "https://us-south.ml.cloud.ibm.com"


def _gemini(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_google_genai import ChatGoogleGenerativeAI

    # The class counts attempts, not retries: 1 is one request. It warns of `retries` it ignores.
    defaults = {"model": "gemini-2.5-flash", "base_url": url, "vertexai": False, "max_retries": 1}
    return ChatGoogleGenerativeAI(**{**defaults, "api_key": _KEY, **kwargs})


def _gemini_vertex(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """The same class, on Vertex AI."""
    from google.oauth2.credentials import Credentials
    from langchain_google_genai import ChatGoogleGenerativeAI

    defaults = {
        "model": "gemini-2.5-flash",
        "base_url": url,
        "vertexai": True,
        "project": "wire",
        "location": "us-central1",
        "credentials": Credentials(token=_KEY),  # type: ignore[no-untyped-call]
        "max_retries": 1,
    }
    return ChatGoogleGenerativeAI(**{**defaults, **kwargs})


def _anthropic_vertex(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_google_vertexai.model_garden import ChatAnthropicVertex

    defaults = {
        "model_name": "claude-haiku-4-5@20251001",
        "project": "wire",
        "location": "us-east5",
        "api_endpoint": url,
        "access_token": _KEY,
        "max_tokens": 4096,
        "max_retries": 0,
    }
    return ChatAnthropicVertex(**{**defaults, **kwargs})


def _anthropic_bedrock(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """The class takes no base URL: the SDK's clients are pointed at `url` instead."""
    from langchain_aws import ChatAnthropicBedrock

    defaults = {
        "model": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "region_name": "us-east-1",
        "aws_access_key_id": _KEY,
        "aws_secret_access_key": _KEY,
        "max_tokens": 4096,
        "max_retries": 0,
    }
    model = ChatAnthropicBedrock(**{**defaults, **kwargs})
    for name in ("_client", "_async_client"):
        model.__dict__[name] = getattr(model, name).with_options(base_url=url)
    return model


def _bedrock(model: str) -> Callable[[str, dict[str, Any]], BaseChatModel]:
    """InvokeModel with another family's model."""

    def build(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
        from .models import chat_model

        return chat_model("bedrock", url, **{"model": model, **kwargs})

    return build


def _bedrock_converse_cohere(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """Cohere on Bedrock: Converse only, as `ChatBedrock` refuses its prompts."""
    from .models import chat_model

    return chat_model("bedrock_converse", url, **{"model": "cohere.command-r-v1:0", **kwargs})


def _watsonx(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """At IBM's true address, as the SDK refuses plain HTTP; only the traffic goes to `url`."""
    from ibm_watsonx_ai import APIClient, Credentials
    from ibm_watsonx_ai.foundation_models import ModelInference
    from langchain_ibm import ChatWatsonx

    from .rerouting import async_client, sync_client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it does not ask the server for the project
        client = APIClient(
            Credentials(url=_WATSONX, token=_KEY),
            project_id="wire",
            scope_validation=False,
            httpx_client=sync_client(_WATSONX, url, sdk="ibm_watsonx_ai"),
            async_httpx_client=async_client(_WATSONX, url, sdk="ibm_watsonx_ai"),
        )
    inference = ModelInference(
        model_id="ibm/granite-3-3-8b-instruct", api_client=client, validate=False, max_retries=0
    )
    return ChatWatsonx(**{"watsonx_model": inference, **kwargs})


def _huggingface(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_huggingface import ChatHuggingFace, HuggingFaceEndpoint

    settings: dict[str, Any] = {
        "endpoint_url": url,
        "task": "text-generation",
        "huggingfacehub_api_token": _KEY,
    }
    endpoint = HuggingFaceEndpoint(**settings)
    return ChatHuggingFace(**{"llm": endpoint, "model_id": url, "stream_usage": True, **kwargs})


def _cohere(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """The class has no number of retries: the SDK's clients get it."""
    from langchain_cohere import ChatCohere

    defaults = {"model": "command-a-03-2025", "base_url": url, "cohere_api_key": _KEY}
    model = ChatCohere(**{**defaults, **kwargs})
    for client in (model.client.v2, model.async_client.v2):
        for name in ("chat", "chat_stream"):
            method = getattr(client, name)
            setattr(client, name, partial(method, request_options={"max_retries": 0}))
    return model


def _ollama(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_ollama import ChatOllama

    return ChatOllama(**{"model": "qwen3:8b", "base_url": url, **kwargs})


BUILDERS: dict[str, tuple[str, Callable[[str, dict[str, Any]], BaseChatModel]]] = {
    "gemini": ("langchain_google_genai", _gemini),
    "gemini_vertex": ("langchain_google_genai", _gemini_vertex),
    "anthropic_vertex": ("langchain_google_vertexai", _anthropic_vertex),
    "anthropic_bedrock": ("langchain_aws", _anthropic_bedrock),
    "bedrock_llama": ("langchain_aws", _bedrock("meta.llama3-3-70b-instruct-v1:0")),
    "bedrock_mistral": ("langchain_aws", _bedrock("mistral.mistral-large-2407-v1:0")),
    "bedrock_titan": ("langchain_aws", _bedrock("amazon.titan-text-premier-v1:0")),
    "bedrock_openai": ("langchain_aws", _bedrock("openai.gpt-oss-120b-1:0")),
    "bedrock_converse_cohere": ("langchain_aws", _bedrock_converse_cohere),
    "watsonx": ("langchain_ibm", _watsonx),
    "huggingface": ("langchain_huggingface", _huggingface),
    "cohere": ("langchain_cohere", _cohere),
    "ollama": ("langchain_ollama", _ollama),
}
"""The package and the builder of each flavour."""
