"""Ollama. `ChatOllama` streams from the server in every mode, and counts only with both counts.

The prompt's count is absent when the prompt is in the server's cache. The durations come in
nanoseconds.
"""

from __future__ import annotations

from replymeter import conventions as names
from replymeter.providers.spec import ErrorText, Field, Provider, UsageSource

_NANOSECONDS = 1e-9


def _duration(attribute: str, name: str) -> Field:
    path = f"response_metadata.{name}_duration"
    return Field(attribute=attribute, path=path, kind="seconds", scale=_NANOSECONDS)


OLLAMA = Provider(
    name="ollama",
    source="https://docs.ollama.com/api/chat",
    date="2026-11-24",
    llm_types=("chat-ollama",),
    ls_providers=("ollama",),
    urls=("_client._client.base_url", "base_url"),
    fields=(
        Field(attribute=names.RESPONSE_MODEL, path="response_metadata.model", kind="name"),
        _duration(names.PROMPT_TIME, "prompt_eval"),
        _duration(names.COMPLETION_TIME, "eval"),
        _duration(names.TOTAL_TIME, "total"),
        Field(
            attribute=names.MEAN_LOGPROB,
            path="response_metadata.logprobs.*.logprob",
            kind="mean",
            mode="invoke",  # in a stream each chunk has its own
        ),
    ),
    usage=(
        UsageSource(
            input_tokens=("response_metadata.prompt_eval_count",),
            output_tokens=("response_metadata.eval_count",),
        ),
    ),
    finish_reason=("response_metadata.done_reason",),
    # The class skips `load`.
    finish_reasons={"stop": "stop", "length": "length", "unload": "other"},
    error_texts=(ErrorText("exceeds the available context", "context_overflow"),),
)
