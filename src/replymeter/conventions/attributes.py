"""Attributes and labels: names, types, meanings, and the values that are closed sets."""

from __future__ import annotations

from typing import Final, NamedTuple

from replymeter.conventions.values import COST_PARTS, MODALITIES

GENAI: Final = "https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai"
"""The conventions that a name without a `replymeter.` prefix comes from."""

OPERATION: Final = "chat"
"""The value of `gen_ai.operation.name` on everything that Replymeter publishes."""


class Attribute(NamedTuple):
    """A span attribute or label: its name, type, meaning, and the page that defines it."""

    name: str
    type: str
    meaning: str
    spec: str | None


ATTRIBUTES: Final[dict[str, Attribute]] = {}
"""Every attribute by name, in the order of the documentation."""


CONTENT: Final[dict[str, Attribute]] = {}
"""The attributes that carry what people and models wrote: only when that is asked for."""


def _content(name: str, type_: str, meaning: str) -> str:
    CONTENT[name] = Attribute(name, type_, meaning, GENAI)
    return name


def _attribute(name: str, type_: str, meaning: str) -> str:
    spec = None if name.startswith("replymeter.") else GENAI
    ATTRIBUTES[name] = Attribute(name, type_, meaning, spec)
    return name


# --- attributes that samplers see: set when the span starts -----------------------------------

OPERATION_NAME: Final = _attribute("gen_ai.operation.name", "string", "Always `chat`.")
PROVIDER_NAME: Final = _attribute(
    "gen_ai.provider.name", "string", "Who serves the model: by class, then by the host it calls."
)
REQUEST_MODEL: Final = _attribute(
    "gen_ai.request.model", "string", "The model that the request names."
)
SERVER_ADDRESS: Final = _attribute("server.address", "string", "Host of the model's base URL.")
SERVER_PORT: Final = _attribute("server.port", "int", "Port of the model's base URL.")
REQUEST_STREAM: Final = _attribute(
    "gen_ai.request.stream", "boolean", "True when the reply is streamed; absent otherwise."
)

# --- the request ------------------------------------------------------------------------------

REQUEST_MAX_TOKENS: Final = _attribute(
    "gen_ai.request.max_tokens", "int", "Limit on output tokens."
)
REQUEST_TEMPERATURE: Final = _attribute("gen_ai.request.temperature", "double", "Temperature.")
REQUEST_TOP_P: Final = _attribute("gen_ai.request.top_p", "double", "Nucleus sampling.")
REQUEST_TOP_K: Final = _attribute("gen_ai.request.top_k", "int", "Top-k sampling.")
REQUEST_SEED: Final = _attribute("gen_ai.request.seed", "int", "Seed.")
REQUEST_FREQUENCY_PENALTY: Final = _attribute(
    "gen_ai.request.frequency_penalty", "double", "Frequency penalty."
)
REQUEST_PRESENCE_PENALTY: Final = _attribute(
    "gen_ai.request.presence_penalty", "double", "Presence penalty."
)
REQUEST_STOP_SEQUENCES: Final = _attribute(
    "gen_ai.request.stop_sequences", "string[]", "Stop sequences."
)
REQUEST_CHOICE_COUNT: Final = _attribute(
    "gen_ai.request.choice.count", "int", "Choices asked for, when not 1."
)
REQUEST_REASONING_LEVEL: Final = _attribute(
    "gen_ai.request.reasoning.level", "string", "Reasoning effort, as sent."
)
OUTPUT_TYPE: Final = _attribute(
    "gen_ai.output.type", "string", "`json` or `text`, when the request names an output format."
)
CONVERSATION_ID: Final = _attribute(
    "gen_ai.conversation.id",
    "string",
    "The conversation that `RunnableConfig` names; enough like an id, or it is left out.",
)
REQUEST_PREVIOUS_RESPONSE_ID: Final = _attribute(
    "gen_ai.request.previous_response.id", "string", "The response that the request goes on from."
)
OPENAI_REQUEST_SERVICE_TIER: Final = _attribute(
    "openai.request.service_tier", "string", "Service tier asked for, when not `auto`."
)
OPENAI_API_TYPE: Final = _attribute(
    "openai.api.type", "string", "`chat_completions` or `responses`."
)
BEDROCK_GUARDRAIL_ID: Final = _attribute(
    "aws.bedrock.guardrail.id", "string", "The guardrail that the request names."
)

# --- the response -----------------------------------------------------------------------------

RESPONSE_MODEL: Final = _attribute(
    "gen_ai.response.model",
    "string",
    "The model that answered; absent where LangChain's package hands back the request's.",
)
RESPONSE_ID: Final = _attribute("gen_ai.response.id", "string", "The provider's id of the reply.")
RESPONSE_FINISH_REASONS: Final = _attribute(
    "gen_ai.response.finish_reasons",
    "string[]",
    "Raw finish reasons, one per choice, in order; absent when no choice has one.",
)
RESPONSE_TIME_TO_FIRST_CHUNK: Final = _attribute(
    "gen_ai.response.time_to_first_chunk", "double", "Seconds from the request to the first chunk."
)
OPENAI_RESPONSE_SERVICE_TIER: Final = _attribute(
    "openai.response.service_tier", "string", "Service tier that answered."
)
OPENAI_RESPONSE_SYSTEM_FINGERPRINT: Final = _attribute(
    "openai.response.system_fingerprint", "string", "Fingerprint of the backend."
)
USAGE_INPUT_TOKENS: Final = _attribute(
    "gen_ai.usage.input_tokens", "int", "Input tokens, cached ones included."
)
USAGE_OUTPUT_TOKENS: Final = _attribute(
    "gen_ai.usage.output_tokens", "int", "Output tokens, reasoning included."
)
USAGE_CACHE_READ: Final = _attribute(
    "gen_ai.usage.cache_read.input_tokens", "int", "Input tokens read from the provider's cache."
)
USAGE_CACHE_WRITE: Final = _attribute(
    "gen_ai.usage.cache_write.input_tokens", "int", "Input tokens written to the provider's cache."
)
USAGE_REASONING: Final = _attribute(
    "gen_ai.usage.reasoning.output_tokens", "int", "Output tokens spent on reasoning."
)

INPUT_TOKENS_OF: Final = {
    modality: _attribute(
        f"gen_ai.usage.{modality}.input_tokens", "int", f"Input tokens that are {modality}."
    )
    for modality in MODALITIES
}
OUTPUT_TOKENS_OF: Final = {
    modality: _attribute(
        f"gen_ai.usage.{modality}.output_tokens", "int", f"Output tokens that are {modality}."
    )
    for modality in MODALITIES
}

# --- what the conventions do not cover --------------------------------------------------------

OUTCOME: Final = _attribute(
    "replymeter.outcome", "string", "`ok`, `error`, `cancelled` or `abandoned`."
)
FINISH_REASONS: Final = _attribute(
    "replymeter.finish_reasons", "string[]", "Normalised finish reasons, one per choice, in order."
)
FINISH_REASON: Final = _attribute(
    "replymeter.finish_reason", "string", "Label: one normalised finish reason."
)
BLOCK_STAGES: Final = _attribute(
    "replymeter.block.stages", "string[]", "Where it was blocked: `prompt`, `response`."
)
BLOCK_CATEGORIES: Final = _attribute(
    "replymeter.block.categories", "string[]", "Normalised categories that blocked."
)
BLOCK_WORDS: Final = _attribute(
    "replymeter.block.words", "string[]", "The provider's own words for what blocked."
)
BLOCK_STAGE: Final = _attribute("replymeter.block.stage", "string", "Label: one block stage.")
BLOCK_CATEGORY: Final = _attribute(
    "replymeter.block.category", "string", "Label: one block category."
)
STOP_SEQUENCE: Final = _attribute(
    "replymeter.stop_sequence", "string", "The stop sequence that ended the reply."
)
SERVICE_TIER: Final = _attribute(
    "replymeter.service_tier", "string", "Service tier that answered, of any other provider."
)
SYSTEM_FINGERPRINT: Final = _attribute(
    "replymeter.system_fingerprint", "string", "Fingerprint of the backend of any other provider."
)
API_TYPE: Final = _attribute("replymeter.api_type", "string", "The provider's API that answered.")
QUEUE_TIME: Final = _attribute(
    "replymeter.provider.queue_time", "double", "Seconds in the provider's queue."
)
PROMPT_TIME: Final = _attribute(
    "replymeter.provider.prompt_time", "double", "Seconds the provider spent on the prompt."
)
COMPLETION_TIME: Final = _attribute(
    "replymeter.provider.completion_time", "double", "Seconds the provider spent on the answer."
)
TOTAL_TIME: Final = _attribute(
    "replymeter.provider.total_time", "double", "Seconds in all, by the provider's clock."
)
MEAN_LOGPROB: Final = _attribute(
    "replymeter.mean_logprob", "double", "Mean log probability of the answer's tokens."
)
CITATIONS: Final = _attribute("replymeter.citations", "int", "Citations that came with the reply.")
UNATTRIBUTED_TOKENS: Final = _attribute(
    "replymeter.usage.unattributed_tokens", "int", "Total tokens that no part accounts for."
)
USAGE_SUSPECT: Final = _attribute(
    "replymeter.usage.suspect",
    "boolean",
    "True when a stream repeated running totals; the last was taken.",
)
ERROR_CODE: Final = _attribute(
    "replymeter.error.code", "string", "The provider's own code of the error."
)
DELEGATED: Final = _attribute(
    "replymeter.delegated",
    "boolean",
    "True when another instrumented model made the call inside; that one is counted.",
)
ERROR_TYPE: Final = _attribute(
    "error.type", "string", "How the call failed, in one vocabulary for every provider."
)
EXCEPTION_TYPE: Final = _attribute(
    "exception.type", "string", "Qualified class name of the exception."
)
TOKEN_TYPE: Final = _attribute(
    "gen_ai.token.type", "string", "Label of an older metric: `input` or `output`."
)
TOKEN_MODALITY: Final = _attribute(
    "gen_ai.token.modality", "string", "Label: `text`, `image`, `audio`, or `unknown`."
)
COST: Final = _attribute(
    "replymeter.cost", "double", "What the call cost, in US dollars; absent when not known."
)
COST_OF: Final = {
    part: _attribute(f"replymeter.cost.{part}", "double", f"The part of it that is for the {part}.")
    for part in COST_PARTS
}
COST_PART: Final = _attribute(
    "replymeter.cost.part",
    "string",
    "Label: `input` (cached tokens at their own price) or `output`.",
)
COST_REASON: Final = _attribute(
    "replymeter.cost.reason", "string", "Label: why a call could not be priced."
)
ERROR_KIND: Final = _attribute(
    "replymeter.error.kind", "string", "Label: the step of Replymeter's own that failed."
)

# --- content ----------------------------------------------------------------------------------

SYSTEM_INSTRUCTIONS: Final = _content(
    "gen_ai.system_instructions", "any", "The parts of the system messages."
)
TOOL_DEFINITIONS: Final = _content(
    "gen_ai.tool.definitions", "any", "The tools that the call offers."
)
INPUT_MESSAGES: Final = _content("gen_ai.input.messages", "any", "The other messages, in order.")
OUTPUT_MESSAGES: Final = _content("gen_ai.output.messages", "any", "A message for each choice.")
EXCEPTION_MESSAGE: Final = _content("exception.message", "string", "The text of the exception.")
DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"
"""The event that has the span's attributes and the content; severity DEBUG."""

COMMON_LABELS: Final = (OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, SERVER_ADDRESS, SERVER_PORT)
