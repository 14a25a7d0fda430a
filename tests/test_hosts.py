"""Whose server a model calls: by its class, else by the host, else by what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import SecretStr

from replymeter import conventions as names
from replymeter.demo.cases import load_case
from replymeter.demo.rerouting import sync_client
from replymeter.providers import PROVIDERS, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

HOSTS = {
    "api.openai.com": "openai",
    "eu.api.openai.com": "openai",
    "tales.openai.azure.com": "azure.ai.openai",
    "tales.cognitiveservices.azure.com": "azure.ai.openai",
    "tales.services.ai.azure.com": "azure.ai.openai",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "us-east-1.api.x.ai": "x_ai",
    "openrouter.ai": "openrouter",
    "api.perplexity.ai": "perplexity",
    "api.cerebras.ai": "cerebras",
    "integrate.api.nvidia.com": "nvidia",
    "ai.api.nvidia.com": "nvidia",
    "api.groq.com": "groq",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.fireworks.ai": "fireworks",
    "api.mistral.ai": "mistral_ai",
    "API.DeepSeek.com": "deepseek",
    "api.deepseek.com.": "deepseek",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "us-central1-aiplatform.googleapis.com": "gcp.vertex_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "bedrock-runtime.us-east-1.amazonaws.com": "aws.bedrock",
    "bedrock-runtime-fips.us-gov-west-1.amazonaws.com": "aws.bedrock",
    "vpce-1-bedrock.bedrock-runtime.eu-west-1.amazonaws.com": "aws.bedrock",
    "bedrock-mantle.us-west-2.api.aws": "aws.bedrock",
    "us-south.ml.cloud.ibm.com": "ibm.watsonx.ai",
    "eu-de.ml.cloud.ibm.com": "ibm.watsonx.ai",
    "router.huggingface.co": "huggingface",
    "x1y2.us-east-1.aws.endpoints.huggingface.cloud": "huggingface",
    "api.anthropic.com": "anthropic",
    "api.cohere.ai": "cohere",
}
# Nobody's, as far as the rows know: the protocol is OpenAI's, and `server.address` tells the rest.
STRANGERS = (
    "evil-api.openai.com.example.org",
    "api.openai.com.example.org",
    "notapi.openai.com",
    "evilaiplatform.googleapis.com",
    "us-central1-aiplatform.googleapis.com.example.org",
    "bedrock-runtime.a.b.amazonaws.com",
    "bedrock-runtime.amazonaws.com",
    "notbedrock-runtime.us-east-1.amazonaws.com",
    "s3.us-east-1.amazonaws.com",
    "evilml.cloud.ibm.com",
    "notapi.x.ai.example.org",
    "evilopenrouter.ai",
    "api-deepseek.com",
    "xopenai.azure.com",
    "127.0.0.1",
    "localhost",
    "vllm.internal",
)
ADDRESSES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")


class Named(FakeListChatModel):
    """A class that names its provider as LangChain's do, and its model."""

    kind: str
    of: str = ""

    @property
    def _llm_type(self) -> str:
        return self.kind

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "whoever", "ls_model_name": self.of}


def named(kind: str, of: str = "") -> Named:
    """A model of the class whose `_llm_type` is *kind*."""
    return Named(responses=["hi"], kind=kind, of=of)


@pytest.fixture(autouse=True)
def no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address comes from the machine's environment."""
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)


def openai(**kwargs: Any) -> ChatOpenAI:
    """A ChatOpenAI without a real key."""
    return ChatOpenAI(**{"model": "m", "api_key": "k", **kwargs})


@pytest.mark.parametrize(("host", "name"), HOSTS.items())
def test_the_host_tells_whose_server_chatopenai_calls(host: str, name: str) -> None:
    """Its own class says openai whomever it calls."""
    target = find(openai(base_url=f"https://{host}/v1"))

    assert target.provider.name == name
    assert (target.address, target.port) == (host.lower(), 443)


@pytest.mark.parametrize("host", STRANGERS)
def test_a_host_that_only_looks_like_one_is_not_one(host: str) -> None:
    """Hosts match on label boundaries, from the end; an unknown server speaks OpenAI's protocol."""
    target = find(openai(base_url=f"http://{host}:8000/v1"))

    assert target.provider.name == "openai"
    assert (target.address, target.port) == (host, 8000)


@pytest.mark.parametrize(
    ("url", "name", "address", "port"),
    [
        ("https://api.openai.com@evil.example.org/v1", "openai", "evil.example.org", 443),
        ("https://api.x.ai:pw@evil.example.org/v1", "openai", "evil.example.org", 443),
        ("https://user:pw@api.x.ai:8443/v1", "x_ai", "api.x.ai", 8443),
        ("http://evil.example.org/api.x.ai", "openai", "evil.example.org", 80),
        ("http://[::1]:8000/v1", "openai", "::1", 8000),
        ("HTTPS://API.X.AI/v1", "x_ai", "api.x.ai", 443),
    ],
)
def test_only_the_host_of_an_address_tells(url: str, name: str, address: str, port: int) -> None:
    """Neither who logs in nor the path is the server."""
    target = find(openai(base_url=url))

    assert (target.provider.name, target.address, target.port) == (name, address, port)


@pytest.mark.parametrize("variable", ADDRESSES)
def test_an_address_from_the_environment_counts(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The effective address is asked for, wherever it came from."""
    monkeypatch.setenv(variable, "https://api.x.ai/v1")

    assert find(openai()).provider.name == "x_ai"


def test_an_asynchronous_key_leaves_only_the_asynchronous_client() -> None:
    """Then there is no synchronous client to ask."""

    async def key() -> str:
        return "k"

    target = find(openai(api_key=key, base_url="https://api.deepseek.com"))

    assert target.provider.name == "deepseek"


def test_a_class_of_its_own_keeps_its_name_at_any_host() -> None:
    """Only classes that are used to call others' servers ask the host."""
    deployment: dict[str, Any] = {"azure_deployment": "tales", "api_version": "2025-04-01-preview"}
    address = "https://gateway.example.org"

    target = find(AzureChatOpenAI(azure_endpoint=address, api_key=SecretStr("k"), **deployment))

    assert (target.provider.name, target.address) == ("azure.ai.openai", "gateway.example.org")


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_class_is_found_by_its_type(provider: Any) -> None:
    """An `_llm_type` belongs to one provider."""
    for kind in provider.llm_types:
        assert find(named(kind)).provider.name == provider.name


def test_no_host_and_no_class_belongs_to_two_providers() -> None:
    """A row twice would make the last file win."""
    for rows in ("hosts", "llm_types", "ls_providers"):
        claimed = [row for provider in PROVIDERS for row in getattr(provider, rows)]
        assert len(claimed) == len(set(claimed)), rows


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("anthropic/claude-haiku-4-5", "anthropic"),
        ("azure/tales", "azure.ai.openai"),
        ("vertex_ai/gemini-2.5-flash", "gcp.vertex_ai"),
        ("gemini/gemini-2.5-flash", "gcp.gemini"),
        ("xai/grok-4", "x_ai"),
        ("hosted_vllm/tales", "litellm"),
        ("litellm_proxy/tales", "litellm"),
        ("gpt-5-mini", "litellm"),
        ("", "litellm"),
    ],
)
def test_litellm_calls_whom_the_models_prefix_names(model: str, name: str) -> None:
    """A model without a known prefix is LiteLLM's affair."""
    assert find(named("litellm-chat", model)).provider.name == name


def test_what_a_model_calls_adds_its_words() -> None:
    """LiteLLM's shapes, with what the other's words mean."""
    provider = find(named("litellm-chat", "deepseek/deepseek-chat")).provider

    assert provider.finish_reasons["insufficient_system_resource"] == "error"
    assert provider.invented_zeros == ("reasoning",)


@pytest.mark.parametrize("name", ["deepseek", "our-gateway"])
def test_a_name_that_is_told_wins(
    name: str,
    instrument: Callable[..., Any],
    captured: Captured,
    wire: WireServer,
) -> None:
    """A gateway hides who serves the model: `instrument(llm, provider=...)` says it."""
    instrument(openai(base_url=wire.url("openai", "ok")), provider=name).invoke("hi")

    (span,) = captured.spans
    assert span.attributes is not None
    assert span.attributes[names.PROVIDER_NAME] == name
    assert span.attributes[names.SERVER_ADDRESS] == "127.0.0.1"
    assert span.attributes[names.SERVER_PORT] == wire.port
    ((labels, _),) = captured.points(names.DURATION.name)
    assert labels[names.PROVIDER_NAME] == name


def test_the_hosts_own_blocks_are_read(
    instrument: Callable[..., Any], captured: Captured, wire: WireServer
) -> None:
    """ChatOpenAI at Azure's address gets the categories of Azure's error."""
    base = "https://tales.openai.azure.com/openai/v1"
    url = wire.add("azure", "by-openai", load_case("azure", "blocked_prompt"))
    model = instrument(openai(base_url=base, http_client=sync_client(base, url), max_retries=0))

    with pytest.raises(Exception, match="content management policy"):
        model.invoke("hi")

    (span,) = captured.spans
    assert span.attributes is not None
    assert span.attributes[names.PROVIDER_NAME] == "azure.ai.openai"
    assert span.attributes[names.SERVER_ADDRESS] == "tales.openai.azure.com"
    assert span.attributes[names.ERROR_TYPE] == "content_filter"
    assert span.attributes[names.BLOCK_CATEGORIES] == ("hate", "violence")
    assert span.attributes[names.BLOCK_WORDS] == ("hate", "violence")
