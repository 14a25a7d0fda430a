"""What an app made against what Prometheus counted, series by series."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.end_to_end.parts import Prometheus

    Series = tuple[str, ...]  # the metric, then `word=value` for each label that it has

# The labels of Prometheus, and the words for them in what apps note. Where an app does not note
# a label, its series are added up.
LABELS = {
    "gen_ai_provider_name": "provider",
    "gen_ai_request_model": "model",
    "error_type": "error",
    "replymeter_finish_reason": "reason",
    "replymeter_block_stage": "stage",
    "replymeter_block_category": "category",
    "replymeter_outcome": "outcome",
    "replymeter_cost_part": "part",
    "replymeter_cost_reason": "why",
    "instance": "instance",
}


def differences(
    want: Mapping[Series, float], database: Prometheus, service: str
) -> dict[Series, tuple[float, float]]:
    """Each series of *service* that differs: what was made, and what Prometheus says.

    The metrics are those that *want* names; a series of them that it does not name must be 0.
    """
    have: dict[Series, float] = {}
    for name in sorted({key[0] for key in want}):
        have |= counted(database, name, service, words_of(want))
    pairs = {key: (want.get(key, 0), have.get(key, 0)) for key in {*want, *have}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def words_of(noted: Mapping[Series, float]) -> set[str]:
    """The words for the labels that were noted."""
    return {label.partition("=")[0] for key in noted for label in key[1:]}


def counted(database: Prometheus, name: str, service: str, words: set[str]) -> dict[Series, float]:
    """The sums of a metric by these words; those at 0 are left out."""
    labels = [label for label, word in LABELS.items() if word in words]
    last = f'last_over_time({name}{{job="{service}"}}[1h])'  # An app that ended is not gone.
    sums: dict[Series, float] = {}
    for found, value in database.series(f"sum by ({', '.join(labels)}) ({last})").items():
        texts = dict(found)
        said = (f"{LABELS[label]}={texts[label]}" for label in labels if label in texts)
        key = (name, *said)
        if value:
            sums[key] = value
    return sums
