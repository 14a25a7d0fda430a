"""Safety: what was blocked, for which category, at the prompt or at the response."""

from __future__ import annotations

from typing import Final

from replymeter import conventions as names
from replymeter.dashboards import health, parts, scope
from replymeter.dashboards.board import Dashboard, Row
from replymeter.dashboards.panels import Stat, TimeSeries
from replymeter.dashboards.parts import SHARE
from replymeter.dashboards.promql import any_of, equal
from replymeter.dashboards.scope import BY_MODEL, INTERVAL, MODEL, RANGE
from replymeter.dashboards.tables import Column, Spans, Table, Text

BLOCKED: Final = scope.reason("content_filter")
REFUSED: Final = scope.reason("refusal")
BLOCKED_SPANS: Final = parts.is_(names.FINISH_REASONS, "content_filter")
REFUSED_SPANS: Final = parts.is_(names.FINISH_REASONS, "refusal")
NONE: Final = "None"


def _blocks(*matchers: str) -> str:
    return scope.grown(names.SAFETY_BLOCKS, *matchers)


def _over_time(label: str) -> dict[str, str]:
    blocks = scope.per_second(names.SAFETY_BLOCKS, window=INTERVAL, by=(label,))
    return {scope.legend(label): f"60 * {blocks}"}


TILES: Final = (
    Stat(
        title="Blocked",
        says="Share of answers that a safety filter blocked. A block that came as an exception is "
        "one, too.",
        expr=scope.of_answers(RANGE, BLOCKED),
        unit=SHARE,
        steps=parts.BLOCKED,
    ),
    Stat(
        title="Refused",
        says="Share of answers in which the model itself refused. No filter blocked them.",
        expr=scope.of_answers(RANGE, REFUSED),
        unit=SHARE,
    ),
    Stat(
        title="Prompts blocked",
        says="Blocks of the prompt: each category that blocked counts one.",
        expr=_blocks(equal(names.BLOCK_STAGE, "prompt")),
        decimals=0,
        empty=NONE,
    ),
    Stat(
        title="Responses blocked",
        says="Blocks of the response: each category that blocked counts one.",
        expr=_blocks(equal(names.BLOCK_STAGE, "response")),
        decimals=0,
        empty=NONE,
    ),
    Stat(
        title="Attacks on the prompt",
        says="Blocks for `jailbreak`: somebody tries to talk the model out of its rules.",
        expr=_blocks(equal(names.BLOCK_CATEGORY, "jailbreak")),
        decimals=0,
        steps=parts.NEVER,
        empty=NONE,
    ),
    Stat(
        title="Paid for blocked answers",
        says="Output tokens of answers that were blocked or refused.",
        expr=scope.grown(
            names.OUTPUT_TOKENS_BY_REASON,
            any_of(names.FINISH_REASON, ("content_filter", "refusal")),
        ),
        decimals=0,
    ),
)

WHAT_TO_DO: Final = Text(
    title="What to do",
    says="How to read blocks.",
    width=8,
    markdown="""\
- **Prompt** blocks come from what users send: look for one service or tenant.
- **Response** blocks come from what the model says: a prompt of yours changed, or the model.
- `guardrail` and `blocklist` are your own rules at the provider; `other` is a block whose category
  the provider does not say.
- Ratings of answers that passed are not blocks, and are not here.
- The provider's own words are on the span, `replymeter.block.words`.""",
)

BLOCKS: Final = (
    TimeSeries(
        title="Blocks by category",
        says="Blocks a minute, by what blocked.",
        series=_over_time(names.BLOCK_CATEGORY),
        stacked=True,
        empty=NONE,
    ),
    TimeSeries(
        title="Blocks by stage",
        says="Blocks a minute, of prompts and of responses.",
        series=_over_time(names.BLOCK_STAGE),
        stacked=True,
        empty=NONE,
        colors={"prompt": "blue", "response": "purple"},
    ),
    WHAT_TO_DO,
    parts.by_model(
        "Blocked share by model",
        "Share of a model's answers that a safety filter blocked. The dashed lines are where it "
        "turns orange, and where the alert is.",
        scope.of_answers(INTERVAL, BLOCKED, by=MODEL),
        parts.BLOCKED,
        parts.traces("Its answers that were blocked", BLOCKED_SPANS),
    ),
    parts.by_model(
        "Refused share by model",
        "Share of a model's answers in which it refused by itself.",
        scope.of_answers(INTERVAL, REFUSED, by=MODEL),
        parts.BLOCKED,
        parts.traces("Its refusals", REFUSED_SPANS),
    ),
    TimeSeries(
        title="Output tokens of blocked answers",
        says="Output tokens a second of answers that were blocked or refused.",
        series={
            BY_MODEL: scope.per_second(
                names.OUTPUT_TOKENS_BY_REASON,
                any_of(names.FINISH_REASON, ("content_filter", "refusal")),
                window=INTERVAL,
                by=MODEL,
            )
        },
        stacked=True,
    ),
    Table(
        title="Blocks",
        says="What was blocked, where and for which model. One block can have several categories.",
        by=(*MODEL, names.BLOCK_STAGE, names.BLOCK_CATEGORY),
        columns=(
            Column(
                "Blocks",
                scope.grown(
                    names.SAFETY_BLOCKS, by=(*MODEL, names.BLOCK_STAGE, names.BLOCK_CATEGORY)
                )
                + " > 0",
                decimals=0,
                link=parts.board("finish-reasons", "How its answers end"),
            ),
        ),
        empty=NONE,
    ),
)

SAFETY: Final = Dashboard(
    "safety",
    "Safety",
    "What was blocked, for which category, at the prompt or at the response; refusals apart.",
    (
        Row(None, (*TILES, *BLOCKS)),
        Row(
            "Calls that were blocked (needs Tempo)",
            (
                Spans(
                    title="Calls that were blocked",
                    says="The newest; click an id for the trace, which has the provider's words.",
                    where=parts.spans_where(BLOCKED_SPANS),
                ),
            ),
            collapsed=True,
        ),
        health.row(),
    ),
)
