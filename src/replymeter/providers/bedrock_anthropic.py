"""Anthropic's models on AWS Bedrock, by `ChatAnthropicBedrock`: Anthropic's SDK on InvokeModel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from replymeter.providers.anthropic import ANTHROPIC
from replymeter.providers.bedrock import BEDROCK, INVOKE_BLOCKS, guarded
from replymeter.providers.spec import ErrorText
from replymeter.providers.vertexai_anthropic import no_early_zero

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replymeter.reading import Reading


def _repair(reading: Reading, choice: Mapping[str, Any]) -> Reading:
    return guarded(no_early_zero(reading, choice), choice)


ANTHROPIC_ON_BEDROCK = replace(
    ANTHROPIC,
    name="aws.bedrock",
    price_list="aws",
    source="https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-claude.html",
    date="2026-11-24",
    llm_types=("anthropic-bedrock-chat",),
    ls_providers=("anthropic-bedrock",),
    hosts=(),
    finish_reasons={
        **ANTHROPIC.finish_reasons,
        "content_filtered": "content_filter",
        "guardrail_intervened": "content_filter",
    },
    blocks=(*ANTHROPIC.blocks, *INVOKE_BLOCKS),
    block_words=BEDROCK.block_words,
    error_codes={**ANTHROPIC.error_codes, **BEDROCK.error_codes},
    # AWS' code stands in a header, and the SDK hands on the body only.
    error_texts=(
        *ANTHROPIC.error_texts,
        *BEDROCK.error_texts,
        ErrorText("security token included in the request is", "authentication"),
    ),
    repair=_repair,
)
