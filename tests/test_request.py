"""What a call asks for is on its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replymeter import conventions as names
from replymeter.demo.models import chat_model
from tests.fakes import Provider, SyncModel, result, usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

ASKED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "openai",
        {
            "model": "gpt-4.1",
            "temperature": 0.5,
            "max_tokens": 64,
            "service_tier": "flex",
            "seed": 7,
        },
        {
            names.REQUEST_TEMPERATURE: 0.5,
            names.REQUEST_MAX_TOKENS: 64,
            names.OPENAI_REQUEST_SERVICE_TIER: "flex",
            names.REQUEST_SEED: 7,
        },
    ),
    ("openai", {"service_tier": "auto"}, {names.OPENAI_REQUEST_SERVICE_TIER: None}),
    (
        "bedrock_converse",
        {"guardrail_config": {"guardrailIdentifier": "gr-1", "guardrailVersion": "2"}},
        {names.BEDROCK_GUARDRAIL_ID: "gr-1"},
    ),
    (
        "together_openai",
        {"service_tier": "flex"},
        {names.OPENAI_REQUEST_SERVICE_TIER: None, names.PROVIDER_NAME: "together"},
    ),
]


@pytest.mark.parametrize(("flavour", "asked", "want"), ASKED)
def test_a_parameter_of_the_model_is_on_the_span(
    flavour: str,
    asked: dict[str, Any],
    want: dict[str, Any],
    wire: WireServer,
    instrument: Callable[..., Any],
    captured: Captured,
) -> None:
    """Each provider's own and the common ones; a default that says nothing is absent."""
    instrument(chat_model(flavour, wire.url(flavour, "ok"), **asked)).invoke("x")

    attributes = captured.spans[0].attributes or {}
    assert {name: attributes.get(name) for name in want} == want


@pytest.mark.parametrize("model", ["gpt\n5", "gpt\x00", "https://example.com/v1"])
def test_a_text_that_is_no_models_name_is_none(
    model: str, wire: WireServer, instrument: Callable[..., Any], captured: Captured
) -> None:
    """A line, a control character or an address is neither on the span nor a label."""
    instrument(chat_model("openai", wire.url("openai", "ok"), model=model)).invoke("x")

    assert names.REQUEST_MODEL not in (captured.spans[0].attributes or {})
    assert all(
        names.REQUEST_MODEL not in labels
        for labels, _ in captured.points(names.FINISH_REASON_COUNT.name)
    )


def test_a_line_is_no_response_models_name(
    instrument: Callable[..., Any], captured: Captured
) -> None:
    """As little as a request's: it would be a label."""
    openai = Provider(kind="openai-chat", answer=result(model_name="gpt-5\nINFO forged"))
    instrument(openai).invoke("x")

    assert captured.spans
    assert names.RESPONSE_MODEL not in (captured.spans[0].attributes or {})
    assert all(
        names.RESPONSE_MODEL not in labels for labels, _ in captured.points(names.DURATION.name)
    )


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"response_format": {"type": "json_schema"}}, "json"),
        ({"response_mime_type": "application/json"}, "json"),
        ({"response_format": {"type": "text"}}, "text"),
        ({"response_format": 7}, None),
    ],
)
def test_an_output_format_is_on_the_span(
    given: dict[str, Any], want: str | None, instrument: Callable[..., Any], captured: Captured
) -> None:
    """`gen_ai.output.type` is set when the request names a format, and only then."""
    instrument(SyncModel()).invoke("x", **given)

    assert (captured.spans[0].attributes or {}).get(names.OUTPUT_TYPE) == want


def test_a_modality_is_on_span_and_metric(
    instrument: Callable[..., Any], captured: Captured
) -> None:
    """Audio tokens are a part of the input: on the span, and in the counter by modality."""
    counts = usage(input_token_details={"audio": 4})
    answer = result()
    answer.generations[0].message.usage_metadata = counts  # type: ignore[attr-defined]

    instrument(SyncModel(answer=answer)).invoke("x")

    counter = names.INPUT_TOKENS.name
    assert (captured.spans[0].attributes or {})[names.INPUT_TOKENS_OF["audio"]] == 4
    assert captured.total(counter, modality="audio") == 4
    assert captured.total(counter, modality="unknown") == 6
    assert captured.total(counter) == 10
