"""AWS Bedrock with Anthropic models: InvokeModel (`ChatBedrock`) and Converse.

Both hand back the request's model as the response's. InvokeModel drops the guardrail's action.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from replymeter.providers.anthropic import FINISH_REASONS
from replymeter.providers.spec import Blocks, ErrorText, Field, Provider, UsageSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.reading import Reading

_USAGE = "response_metadata.usage."

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailAssessment.html
_FILTERS = {
    "HATE": "hate",
    "INSULTS": "harassment",
    "SEXUAL": "sexual",
    "VIOLENCE": "violence",
    "MISCONDUCT": "dangerous",
    "PROMPT_ATTACK": "jailbreak",
}
_POLICIES: tuple[tuple[str, dict[str, str], str], ...] = (
    ("contentPolicy.filters.*", _FILTERS, "guardrail"),
    ("topicPolicy.topics.*", {}, "guardrail"),
    ("wordPolicy.customWords.*", {}, "blocklist"),
    ("wordPolicy.managedWordLists.*", {}, "blocklist"),
    ("sensitiveInformationPolicy.piiEntities.*", {}, "pii"),
    ("sensitiveInformationPolicy.regexes.*", {}, "pii"),
    ("contextualGroundingPolicy.filters.*", {}, "guardrail"),
    ("automatedReasoningPolicy.findings.*", {}, "guardrail"),
)
# Where an assessment stands: the input has one a guardrail, the output a list of them.
_ASSESSMENTS = (
    ("prompt", "response_metadata.trace.guardrail.inputAssessment.*."),
    ("response", "response_metadata.trace.guardrail.outputAssessments.*.*."),
)


def _guardrail_blocks() -> tuple[Blocks, ...]:
    return tuple(
        Blocks(
            path=assessment + policy,
            stage=stage,
            word="type",
            when="action",
            accepted=("BLOCKED",),
            categories=categories,
            default=default,
        )
        for stage, assessment in _ASSESSMENTS
        for policy, categories, default in _POLICIES
    )


def _no_headers(reading: Reading, choice: Mapping[str, Any]) -> Reading:
    # InvokeModel's counts come in HTTP headers; without them the class says 0 and 0. Converse
    # says 0 and 0 itself when a guardrail stops the prompt, and that is true.
    usage = reading.usage
    if usage is None or usage.input_tokens or usage.output_tokens:
        return reading
    return reading if "stopReason" in choice["response_metadata"] else replace(reading, usage=None)


BEDROCK = Provider(
    name="aws.bedrock",
    source="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    date="2026-11-24",
    llm_types=("amazon_bedrock_chat", "amazon_bedrock_converse_chat"),
    ls_providers=("amazon_bedrock",),
    urls=("client.meta.endpoint_url", "endpoint_url"),
    request_model=("model_id", "model"),
    fields=(
        Field(attribute=names.RESPONSE_ID, path="response_metadata.ResponseMetadata.RequestId"),
        Field(attribute=names.SERVICE_TIER, path="response_metadata.serviceTier.type"),
        Field(attribute=names.STOP_SEQUENCE, path="response_metadata.stop_sequence", kind="name"),
        # A list when invoked, a number in streams: both, or the first.
        Field(
            attribute=names.TOTAL_TIME,
            path="response_metadata.metrics.latencyMs",
            kind="seconds",
            scale=0.001,
        ),
        Field(
            attribute=names.TOTAL_TIME,
            path="response_metadata.metrics.latencyMs.*",
            kind="seconds",
            scale=0.001,
        ),
    ),
    usage=(
        UsageSource(
            input_tokens=(_USAGE + "prompt_tokens",),
            output_tokens=(_USAGE + "completion_tokens",),
            total_tokens=(_USAGE + "total_tokens",),
            cache_read=(_USAGE + "cache_read_input_tokens",),
            cache_write=(_USAGE + "cache_write_input_tokens",),
            input_excludes_cache=True,
        ),
    ),
    # LangChain fills in what the header or the body does not say.
    invented_zeros=("cache_read", "cache_write"),
    finish_reason=("response_metadata.stopReason", "response_metadata.stop_reason"),
    finish_reasons={
        **FINISH_REASONS,
        "content_filtered": "content_filter",
        "guardrail_intervened": "content_filter",
        "malformed_model_output": "error",
        "malformed_tool_use": "error",
    },
    blocks=_guardrail_blocks(),
    block_words={"guardrail_intervened": ("response", "guardrail")},
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
    error_codes={
        "ThrottlingException": "rate_limit",
        "throttlingException": "rate_limit",
        "ServiceQuotaExceededException": "rate_limit",
        "ServiceUnavailableException": "overloaded",
        "serviceUnavailableException": "overloaded",
        "ModelNotReadyException": "overloaded",
        "UnrecognizedClientException": "authentication",
        "InvalidSignatureException": "authentication",
        "ExpiredTokenException": "authentication",
        "AccessDeniedException": "permission_denied",
        "ResourceNotFoundException": "not_found",
        "ModelTimeoutException": "timeout",
        "modelTimeoutException": "timeout",
        "ModelErrorException": "server_error",
        "InternalServerException": "server_error",
        "internalServerException": "server_error",
        "modelStreamErrorException": "stream_broken",
        "ModelStreamErrorException": "stream_broken",
        "validationException": "invalid_request",
    },
    error_texts=(
        ErrorText("too long for requested model", "context_overflow"),
        ErrorText("too many input tokens", "context_overflow"),
    ),
    repair=_no_headers,
)
