"""Every provider's rows, found by themselves: a new provider is one new file here.

`find(model)` says which provider a model calls, and where.
"""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from replymeter.providers.spec import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.language_models import BaseChatModel


def _collect() -> Iterator[Provider]:
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "spec"):
        for value in vars(import_module(f"{__name__}.{module}")).values():
            if isinstance(value, Provider):
                yield value


PROVIDERS: tuple[Provider, ...] = tuple(dict.fromkeys(_collect()))
"""Every provider that has a file here."""

_BY_LLM_TYPE = {name: provider for provider in PROVIDERS for name in provider.llm_types}
_BY_LS_PROVIDER = {name: provider for provider in PROVIDERS for name in provider.ls_providers}
_ANY = _BY_LS_PROVIDER["*"]
_OWN_NETWORK = frozenset({"internal", "lan", "local", "localhost", "svc"})
_BY_HOST = {host: provider for provider in PROVIDERS for host in provider.hosts}


class Target(NamedTuple):
    """The provider that a model calls, and its server; None when the model does not say.

    `unknown` is what no row knows: the model's `class`, the `host` that it calls, or nothing.
    """

    provider: Provider
    address: str | None
    port: int | None
    unknown: str | None = None


def find(model: BaseChatModel, name: str | None = None) -> Target:
    """The target of *model*; *name* overrides the provider's `gen_ai.provider.name`."""
    provider = _by_class(model)
    address, port = _server(model, provider)
    unknown = "class" if name is None and provider.ls_providers == _ANY.ls_providers else None
    if name is None and provider.calls:
        name = provider.calls(model)
    if name is not None:
        provider = speaking_for(provider, _by_name(name))
    elif provider.speaks_for_hosts and address:
        host = _by_host(address)
        provider = speaking_for(provider, host)
        unknown = "host" if host is None and _public(address) else None
    return Target(provider, address, port, unknown)


def unplaced(model: BaseChatModel, name: str | None) -> Target:
    """The target of a model that cannot say what it calls."""
    name = name or type(model).__name__.lower()
    return Target(_unknown(name), None, None)


@lru_cache(maxsize=256)
def _unknown(name: str) -> Provider:
    return replace(_ANY, name=name)


@lru_cache(maxsize=256)
def speaking_for(provider: Provider, other: Provider | None) -> Provider:
    """*provider*'s shapes with the name and the words of *other*, whose server it calls."""
    if other is None or other.name == provider.name:
        return provider
    return replace(
        provider,
        name=other.name,
        price_list=other.price_list,
        own_attributes={},
        parameters=(),
        finish_reasons={**provider.finish_reasons, **other.finish_reasons},
        error_codes={**provider.error_codes, **other.error_codes},
        blocks=(*provider.blocks, *other.blocks),
        block_words={**provider.block_words, **other.block_words},
        error_texts=(*provider.error_texts, *other.error_texts),
        error_blocks=(*provider.error_blocks, *other.error_blocks),
        usage=(*provider.usage, *other.usage),
    )


def _by_class(model: BaseChatModel) -> Provider:
    known = _BY_LLM_TYPE.get(model._llm_type)  # noqa: SLF001
    if known:
        return known
    ls_provider = model._get_ls_params().get("ls_provider") or model._llm_type  # noqa: SLF001
    return _BY_LS_PROVIDER.get(ls_provider) or _unknown(ls_provider)


def _by_name(name: str) -> Provider:
    known = next((provider for provider in PROVIDERS if provider.name == name), None)
    return known or _unknown(name)


def _by_host(host: str) -> Provider | None:
    """The provider of *host*, on label boundaries; None for an unknown one."""
    labels = host.lower().rstrip(".").split(".")
    suffixes = [".".join(labels[start:]) for start in range(len(labels))]
    found = (_BY_HOST[row] for row in _BY_HOST for suffix in suffixes if _is(suffix, row))
    return next(found, None)


def _is(host: str, row: str) -> bool:
    return host.count(".") == row.count(".") and fnmatchcase(host, row)


def _public(host: str) -> bool:
    """Whether *host* looks like a provider's, and not like an address in the user's own network."""
    _, dot, last = host.rpartition(".")
    return bool(dot) and not last.isdecimal() and ":" not in host and last not in _OWN_NETWORK


def _server(model: BaseChatModel, provider: Provider) -> tuple[str | None, int | None]:
    for path in provider.urls:
        value: Any = model
        try:
            for step in path.split("."):
                value = getattr(value, step, None)
        except Exception:  # noqa: BLE001, S112  A property of somebody's class can raise anything.
            continue
        if value is None:
            continue
        url = str(value)
        try:
            parts = urlsplit(url if "//" in url else f"https://{url}")
            port = parts.port or (80 if parts.scheme == "http" else 443)
        except ValueError:
            continue
        if parts.hostname:
            return parts.hostname, port
    return None, None
