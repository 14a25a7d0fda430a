"""The chat models of OpenAI's protocol and its kin, pointed at a wire server."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

_KEY = "not-a-key"
_XAI = "https://api.x.ai/v1"
_OPENROUTER = "https://openrouter.ai/api/v1"


def _openai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_openai import ChatOpenAI

    # With a base_url of its own, ChatOpenAI does not ask for usage in streams.
    defaults = {"base_url": url, "stream_usage": True}
    return ChatOpenAI(**{**defaults, "api_key": _KEY, "max_retries": 0, **kwargs})


def rerouted(base: str, url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """ChatOpenAI at a provider's true address, so that its host can be recognised.

    Only the traffic goes to `url`.
    """
    from .rerouting import async_client, sync_client

    clients = {
        "http_client": sync_client(base, url),
        "http_async_client": async_client(base, url),
    }
    return _openai(base, {**clients, **kwargs})


def _azure(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_openai import AzureChatOpenAI

    defaults = {
        "azure_endpoint": url,
        "azure_deployment": "tales-in-production",
        "api_version": "2025-04-01-preview",
    }
    return AzureChatOpenAI(**{**defaults, "api_key": _KEY, "max_retries": 0, **kwargs})


def _deepseek(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_deepseek import ChatDeepSeek

    defaults = {"model": "deepseek-chat", "api_base": url, "max_retries": 0}
    return ChatDeepSeek(**{**defaults, "api_key": _KEY, **kwargs})


def _xai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_xai import ChatXAI

    defaults = {"model": "grok-4", "xai_api_base": url, "max_retries": 0}
    return ChatXAI(**{**defaults, "api_key": _KEY, **kwargs})


def _xai_openai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    return rerouted(_XAI, url, {"model": "grok-4", **kwargs})


def _openrouter(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_openrouter import ChatOpenRouter
    from openrouter import OpenRouter

    # With max_retries=0 the class leaves the SDK to its default: one hour.
    client = OpenRouter(api_key=_KEY, server_url=url, retry_config=None)
    defaults = {"model": "mistralai/mistral-small", "base_url": url, "client": client}
    return ChatOpenRouter(**{**defaults, "api_key": _KEY, **kwargs})


def _openrouter_openai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    return rerouted(_OPENROUTER, url, {"model": "mistralai/mistral-small", **kwargs})


def _perplexity(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """The class has no parameter for the address: its clients have."""
    from langchain_perplexity import ChatPerplexity
    from perplexity import AsyncPerplexity, Perplexity

    clients = {
        "client": Perplexity(api_key=_KEY, base_url=url, max_retries=0),
        "async_client": AsyncPerplexity(api_key=_KEY, base_url=url, max_retries=0),
    }
    return ChatPerplexity(**{"model": "sonar-pro", "api_key": _KEY, **clients, **kwargs})


def _cerebras(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """A package for Python 3.11 and 3.12 only, so imported by name."""
    package: Any = import_module("langchain_cerebras")
    defaults = {"model": "gpt-oss-120b", "base_url": url, "max_retries": 0}
    model: BaseChatModel = package.ChatCerebras(**{**defaults, "api_key": _KEY, **kwargs})
    return model


def _nvidia(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_nvidia_ai_endpoints import ChatNVIDIA

    # The package would report its own usage to its maker.
    defaults = {"model": "meta/llama-3.3-70b-instruct", "usage_telemetry_enabled": False}
    return ChatNVIDIA(**{**defaults, "base_url": url, "api_key": _KEY, **kwargs})


def _vllm(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """A server that nobody knows: any that speaks OpenAI's protocol."""
    return _openai(url, {"model": "Qwen/Qwen3-8B", **kwargs})


def _litellm(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """LiteLLM's own proxy, whose models could be anybody's.

    litellm needs an older openai than the other packages: it lives in an environment of its own.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks GitHub
    package: Any = import_module("langchain_litellm")
    # The class keeps its own max_retries from the client of OpenAI, which would try three times.
    defaults = {"model": "litellm_proxy/tales", "api_base": url, "model_kwargs": {"max_retries": 0}}
    model: BaseChatModel = package.ChatLiteLLM(**{**defaults, "api_key": _KEY, **kwargs})
    return model


BUILDERS: dict[str, tuple[str, Callable[[str, dict[str, Any]], BaseChatModel]]] = {
    "azure": ("langchain_openai", _azure),
    "deepseek": ("langchain_deepseek", _deepseek),
    "xai": ("langchain_xai", _xai),
    "xai_openai": ("langchain_openai", _xai_openai),
    "openrouter": ("langchain_openrouter", _openrouter),
    "openrouter_openai": ("langchain_openai", _openrouter_openai),
    "perplexity": ("langchain_perplexity", _perplexity),
    "cerebras": ("langchain_cerebras", _cerebras),
    "nvidia": ("langchain_nvidia_ai_endpoints", _nvidia),
    "vllm": ("langchain_openai", _vllm),
    "litellm": ("langchain_litellm", _litellm),
}
"""By flavour: the package, and what builds the model. `replymeter.demo.models` has the others."""
