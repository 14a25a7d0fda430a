"""Moonshot's chat model: OpenAI's class at Moonshot's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .models_compatible import rerouted

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def _moonshot(url: str, kwargs: dict[str, Any]) -> BaseChatModel:
    return rerouted("https://api.moonshot.ai/v1", url, {"model": "kimi-k2.6", **kwargs})


BUILDERS = {"moonshot": ("langchain_openai", _moonshot)}
"""The package and the builder of the flavour."""
