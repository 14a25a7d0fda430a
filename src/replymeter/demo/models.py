"""The real LangChain chat model of each flavour, pointed at a wire server.

Those of every module `models_<name>.py` beside this one are found by themselves: its `BUILDERS`
has the package and the builder of each flavour.
"""

from __future__ import annotations

import pkgutil
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from replymeter import demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.language_models import BaseChatModel

_KEY = "not-a-key"
_TOGETHER = "https://api.together.xyz/v1"


def chat_model(flavour: str, url: str, **kwargs: Any) -> BaseChatModel:
    """Build the flavour's class for `url`, with no retries and a fake key; `kwargs` win.

    ImportError when the provider's package is not installed, ValueError for an unknown flavour.
    """
    if flavour not in _BUILDERS:
        raise ValueError(f"unknown flavour {flavour!r}; known: {', '.join(FLAVOURS)}")
    return _BUILDERS[flavour][1](url, kwargs)


def installed(flavour: str) -> bool:
    """Whether the package of the flavour's class can be imported."""
    return flavour in _BUILDERS and find_spec(_BUILDERS[flavour][0]) is not None


def _openai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_openai import ChatOpenAI

    # With a base_url of its own, ChatOpenAI does not ask for usage in streams.
    defaults = {"model": "gpt-5-mini", "base_url": url, "stream_usage": True}
    return ChatOpenAI(**{**defaults, "api_key": _KEY, "max_retries": 0, **kwargs})


def _openai_responses(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_openai import ChatOpenAI

    defaults = {"model": "gpt-5-mini", "base_url": url, "use_responses_api": True}
    return ChatOpenAI(**{**defaults, "api_key": _KEY, "max_retries": 0, **kwargs})


def _anthropic(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_anthropic import ChatAnthropic

    defaults = {"model": "claude-haiku-4-5", "base_url": url, "max_tokens": 4096}
    return ChatAnthropic(**{**defaults, "api_key": _KEY, "max_retries": 0, **kwargs})


def _vertexai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """REST, which this class can only do in sync calls (async: TypeError).

    `transport="grpc"` makes every call over gRPC, to the `grpc://` url of a GrpcServer.
    """
    from google.auth.credentials import AnonymousCredentials
    from langchain_google_vertexai import ChatVertexAI

    defaults = {
        "model": "gemini-2.5-flash",
        "project": url.rsplit("/", 1)[-1],  # the gRPC server reads its case from here
        "location": "us-central1",
        "transport": "rest",
        "api_endpoint": url,
        "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]
        "max_retries": 0,
    }
    if kwargs.get("transport") == "grpc":
        from .grpc_clients import clients

        defaults.update(clients(url))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the class as such
        return ChatVertexAI(**{**defaults, **kwargs})


def _aws(url: str) -> dict[str, Any]:
    from botocore.config import Config  # type: ignore[import-untyped]

    return {
        "model": "anthropic.claude-haiku-4-5-20251001-v1:0",
        "region_name": "us-east-1",
        "endpoint_url": url,
        "aws_access_key_id": _KEY,
        "aws_secret_access_key": _KEY,
        "config": Config(retries={"total_max_attempts": 1}, max_pool_connections=256),
    }


def _bedrock(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_aws import ChatBedrock

    return ChatBedrock(**{**_aws(url), **kwargs})


def _bedrock_converse(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_aws import ChatBedrockConverse

    return ChatBedrockConverse(**{**_aws(url), **kwargs})


def _mistralai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_mistralai import ChatMistralAI

    # The class counts attempts, not retries: 1 is one request.
    defaults = {"model": "mistral-large-latest", "endpoint": url, "max_retries": 1}
    return ChatMistralAI(**{**defaults, "api_key": _KEY, **kwargs})


def _groq(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_groq import ChatGroq

    defaults = {"model": "llama-3.3-70b-versatile", "base_url": url, "max_retries": 0}
    return ChatGroq(**{**defaults, "api_key": _KEY, **kwargs})


def _together(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_together import ChatTogether

    defaults = {"model": "meta-llama/Llama-3.3-70B-Instruct-Turbo", "base_url": url}
    return ChatTogether(
        **{**defaults, "api_key": _KEY, "max_retries": 0, "stream_usage": True, **kwargs}
    )


def _together_openai(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    """ChatOpenAI at Together's true address, so that its host can be recognised.

    Only the traffic goes to `url`.
    """
    from .rerouting import async_client, sync_client

    defaults = {
        "model": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "http_client": sync_client(_TOGETHER, url),
        "http_async_client": async_client(_TOGETHER, url),
    }
    return _openai(_TOGETHER, {**defaults, **kwargs})


def _fireworks(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    from langchain_fireworks import ChatFireworks

    defaults = {"model": "accounts/fireworks/models/llama-v3p3-70b-instruct", "base_url": url}
    return ChatFireworks(**{**defaults, "api_key": _KEY, "max_retries": 0, **kwargs})


def _elsewhere() -> Iterator[tuple[str, tuple[str, Callable[..., BaseChatModel]]]]:
    for name in sorted(module.name for module in pkgutil.iter_modules(demo.__path__)):
        if name.startswith("models_"):
            yield from import_module(f"{demo.__name__}.{name}").BUILDERS.items()


_BUILDERS: dict[str, tuple[str, Callable[[str, dict[str, Any]], BaseChatModel]]] = {
    "openai": ("langchain_openai", _openai),
    "openai_responses": ("langchain_openai", _openai_responses),
    "anthropic": ("langchain_anthropic", _anthropic),
    "vertexai": ("langchain_google_vertexai", _vertexai),
    "bedrock": ("langchain_aws", _bedrock),
    "bedrock_converse": ("langchain_aws", _bedrock_converse),
    "mistralai": ("langchain_mistralai", _mistralai),
    "groq": ("langchain_groq", _groq),
    "together": ("langchain_together", _together),
    "together_openai": ("langchain_openai", _together_openai),
    "fireworks": ("langchain_fireworks", _fireworks),
    **dict(_elsewhere()),
}

FLAVOURS: tuple[str, ...] = tuple(_BUILDERS)
