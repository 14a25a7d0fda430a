"""AWS Bedrock with every family's models: InvokeModel (`ChatBedrock`) and Converse.

Both hand back the request's model as the response's. Of InvokeModel's bodies `ChatBedrock` hands
on little: no guardrail's action, and no finish reason of Mistral, OpenAI and Titan; of its
streams, except Anthropic's, all but the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from replymeter.paths import value_at
from replymeter.providers.anthropic import FINISH_REASONS
from replymeter.providers.spec import Blocks, ErrorText, Field, Parameter, Provider, UsageSource
from replymeter.reading import Block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.reading import Reading, Usage

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
)
# Where an assessment stands: the input has one a guardrail, the output a list of them.
_CONVERSE = (
    ("prompt", "response_metadata.trace.guardrail.inputAssessment.*."),
    ("response", "response_metadata.trace.guardrail.outputAssessments.*.*."),
)
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html, "Use a
# guardrail", read 2026-11-24: the action, and that there is a trace. The trace's keys are those of
# bodies that users published; each assessment in it is shaped as in Converse.
_INVOKE = (
    ("prompt", "response_metadata.amazon-bedrock-trace.guardrail.input.*."),
    ("response", "response_metadata.amazon-bedrock-trace.guardrail.outputs.*.*."),
)
_ACTION = "amazon-bedrock-guardrailAction"
# The last event of an InvokeModel stream, whichever the family.
_METRICS = "response_metadata.amazon-bedrock-invocationMetrics."


def _guardrail_blocks(assessments: tuple[tuple[str, str], ...]) -> tuple[Blocks, ...]:
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
        for stage, assessment in assessments
        for policy, categories, default in _POLICIES
    )


INVOKE_BLOCKS = _guardrail_blocks(_INVOKE)
"""What a guardrail's trace in an InvokeModel body says."""


def guarded(reading: Reading, choice: Mapping[str, Any]) -> Reading:
    """Take InvokeModel's word for a guardrail's block, which no finish reason says."""
    if choice["response_metadata"].get(_ACTION) != "INTERVENED":
        return reading
    return reading._replace(
        blocks=reading.blocks or (Block("response", "guardrail"),),
        choices=tuple(one._replace(reason="content_filter") for one in reading.choices),
    )


def _repair(reading: Reading, choice: Mapping[str, Any]) -> Reading:
    # InvokeModel's counts come in HTTP headers; without them the class says 0 and 0. Converse
    # says 0 and 0 itself when a guardrail stops the prompt, and that is true.
    usage = reading.usage
    nothing = usage is not None and not usage.input_tokens and not usage.output_tokens
    if nothing and "stopReason" not in choice["response_metadata"]:
        reading = reading._replace(usage=None)
    elif usage is not None:
        reading = reading._replace(usage=_with_cached_input(usage, choice))
    return guarded(reading, choice)


def _with_cached_input(usage: Usage, choice: Mapping[str, Any]) -> Usage:
    # langchain-aws 1.0 left cached tokens out of the input: then Converse's total has them still,
    # and the input is what InvokeModel's header says, which never has them.
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    if usage.input_tokens is None or not cached:
        return usage
    left_out = usage.input_tokens == value_at(choice, _USAGE + "prompt_tokens")
    if not left_out and usage.unattributed != cached:
        return usage
    return usage._replace(input_tokens=usage.input_tokens + cached)


# https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html, each family's own.
_FAMILIES = {
    "stop": "stop",
    "length": "length",
    "FINISH": "stop",
    "FINISHED": "stop",
    "STOP_CRITERIA_MET": "stop",
    "LENGTH": "length",
    "CONTENT_FILTERED": "content_filter",
    "RAG_QUERY_WHEN_RAG_DISABLED": "other",
}

BEDROCK = Provider(
    name="aws.bedrock",
    price_list="aws",
    source="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    date="2026-11-24",
    llm_types=("amazon_bedrock_chat", "amazon_bedrock_converse_chat"),
    ls_providers=("amazon_bedrock",),
    # https://docs.aws.amazon.com/general/latest/gr/bedrock.html, read 2026-11-24.
    hosts=(
        "bedrock-runtime.*.amazonaws.com",
        "bedrock-runtime-fips.*.amazonaws.com",
        "bedrock-mantle.*.api.aws",
    ),
    urls=("client.meta.endpoint_url", "endpoint_url"),
    request_model=("model_id", "model"),
    parameters=(
        Parameter(
            attribute=names.BEDROCK_GUARDRAIL_ID,
            paths=("guardrails.guardrailIdentifier", "guardrail_config.guardrailIdentifier"),
        ),
    ),
    fields=(
        Field(attribute=names.RESPONSE_ID, path="response_metadata.ResponseMetadata.RequestId"),
        # Streams of OpenAI's models, by InvokeModel.
        Field(attribute=names.RESPONSE_ID, path="response_metadata.id"),
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model", kind="name"),
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
        Field(
            attribute=names.TOTAL_TIME,
            path=_METRICS + "invocationLatency",
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
        # LangChain makes counts of them only where a Llama or Mistral stream ended by `stop`.
        UsageSource(
            input_tokens=(_METRICS + "inputTokenCount",),
            output_tokens=(_METRICS + "outputTokenCount",),
            cache_read=(_METRICS + "cacheReadInputTokenCount",),
            cache_write=(_METRICS + "cacheWriteInputTokenCount",),
            input_excludes_cache=True,
        ),
    ),
    # LangChain fills in what the header or the body does not say.
    invented_zeros=("cache_read", "cache_write"),
    finish_reason=(
        "response_metadata.stopReason",
        "response_metadata.stop_reason",
        "response_metadata.completionReason",
    ),
    finish_reasons={
        **FINISH_REASONS,
        **_FAMILIES,
        "content_filtered": "content_filter",
        "guardrail_intervened": "content_filter",
        "malformed_model_output": "error",
        "malformed_tool_use": "error",
    },
    blocks=(*_guardrail_blocks(_CONVERSE), *INVOKE_BLOCKS),
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
    repair=_repair,
)
