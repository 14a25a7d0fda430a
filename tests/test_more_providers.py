"""Who is called, by the classes that speak for several: nothing of it is on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from replymeter import conventions as names
from replymeter.demo.models import chat_model, installed
from replymeter.providers import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

CALLED = {
    "gemini": ("gcp.gemini", "127.0.0.1"),
    "gemini_vertex": ("gcp.vertex_ai", "127.0.0.1"),
    "anthropic_vertex": ("gcp.vertex_ai", "127.0.0.1"),
    "anthropic_bedrock": ("aws.bedrock", "127.0.0.1"),
    "bedrock_llama": ("aws.bedrock", "127.0.0.1"),
    "bedrock_mistral": ("aws.bedrock", "127.0.0.1"),
    "bedrock_titan": ("aws.bedrock", "127.0.0.1"),
    "bedrock_openai": ("aws.bedrock", "127.0.0.1"),
    "bedrock_converse_cohere": ("aws.bedrock", "127.0.0.1"),
    "watsonx": ("ibm.watsonx.ai", "us-south.ml.cloud.ibm.com"),
    "huggingface": ("huggingface", "127.0.0.1"),
    "cohere": ("cohere", "127.0.0.1"),
    "ollama": ("ollama", "127.0.0.1"),
}


@pytest.mark.parametrize("flavour", CALLED)
def test_the_provider_and_its_server_are_known(flavour: str) -> None:
    """Trap 15: by class and backend, whatever LangChain calls it."""
    if not installed(flavour):
        pytest.skip(f"the package of {flavour} is not installed")
    target = find(chat_model(flavour, f"http://127.0.0.1:9/{flavour}/ok"))

    assert (target.provider.name, target.address) == CALLED[flavour]


def test_gemini_on_vertexai_is_known_by_its_project() -> None:
    """The class chooses the backend by itself when nobody says which."""
    pytest.importorskip("langchain_google_genai")
    url = "http://127.0.0.1:9/gemini_vertex/ok"

    assert find(chat_model("gemini_vertex", url, vertexai=None)).provider.name == "gcp.vertex_ai"


def test_an_endpoints_url_is_no_models_name(
    wire: WireServer, instrument: Callable[..., Any], captured: Captured
) -> None:
    """Trap 20: Hugging Face's class names the URL where no model was named."""
    pytest.importorskip("langchain_huggingface")
    instrument(chat_model("huggingface", wire.url("huggingface", "ok"))).invoke("hi")

    (span,) = captured.spans
    assert span.name == "chat"
    assert names.REQUEST_MODEL not in (span.attributes or {})
    assert names.RESPONSE_MODEL not in (span.attributes or {})


def test_huggingface_is_told_how_streams_get_usage(
    instrument: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Trap 7: the class does not ask for it by itself."""
    pytest.importorskip("langchain_huggingface")
    url = "http://127.0.0.1:9/huggingface/ok"
    instrument(chat_model("huggingface", url))
    assert not caplog.records

    instrument(chat_model("huggingface", url, stream_usage=None))
    assert "stream_usage=True" in caplog.text


@pytest.mark.parametrize("flavour", ["anthropic_vertex", "anthropic_bedrock"])
def test_anthropics_sdk_makes_no_span_of_its_own(
    flavour: str,
    wire: WireServer,
    instrument: Callable[..., Any],
    captured: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Summed over spans, its tokens would double."""
    if not installed(flavour):
        pytest.skip(f"the package of {flavour} is not installed")
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: captured.tracer_provider)
    instrument(chat_model(flavour, wire.url(flavour, "ok"))).invoke("hi")

    assert [span.name.partition(" ")[0] for span in captured.spans] == ["chat"]
