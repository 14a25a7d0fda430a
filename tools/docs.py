"""Write the generated parts of the documentation from the code's own data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from replymeter import conventions as names
from replymeter.check.verdicts import VERDICTS
from replymeter.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[1]
START, END = "<!-- generated: {} -->", "<!-- end -->"
CLOSED_SETS = {
    names.OUTCOME: names.OUTCOMES,
    names.FINISH_REASON: names.REASONS,
    names.BLOCK_STAGE: names.STAGES,
    names.BLOCK_CATEGORY: names.CATEGORIES,
    names.ERROR_TYPE: names.ERROR_TYPES,
    names.COST_PART: names.COST_PARTS,
    names.COST_REASON: names.COST_REASONS,
    names.ERROR_KIND: names.INTERNAL_STEPS,
}


def metrics() -> str:
    """The table of metrics."""
    rows = ["| metric | | unit | labels of its own | records |", "|---|---|---|---|---|"]
    for metric in names.METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        cells = (f"`{metric.name}`", metric.kind, metric.unit, labels, metric.meaning)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def prometheus() -> str:
    """The table of Prometheus names."""
    rows = ["| metric | in Prometheus, by its OTLP receiver |", "|---|---|"]
    for metric in names.METRICS:
        suffix = "_{bucket,sum,count}" if metric.kind == "histogram" else ""
        rows.append(f"| `{metric.name}` | `{metric.prometheus}{suffix}` |")
    return "\n".join(rows)


def attributes(every: dict[str, names.Attribute] = names.ATTRIBUTES) -> str:
    """The table of attributes."""
    rows = ["| attribute | type | meaning |", "|---|---|---|"]
    rows += [f"| `{one.name}` | {one.type} | {one.meaning} |" for one in every.values()]
    return "\n".join(rows)


def content() -> str:
    """The table of attributes with content."""
    return attributes(names.CONTENT)


def values() -> str:
    """The values of each label that has a closed set of them."""
    rows = ["| label | values |", "|---|---|"]
    for label, closed in CLOSED_SETS.items():
        rows.append(f"| `{label}` | {', '.join(f'`{value}`' for value in closed)} |")
    return "\n".join(rows)


def buckets() -> str:
    """The bounds of each histogram."""
    rows = ["| histogram | buckets |", "|---|---|"]
    for metric in names.METRICS:
        if metric.buckets:
            bounds = ", ".join(f"{bound:.15g}" for bound in metric.buckets)
            rows.append(f"| `{metric.name}` | {bounds} |")
    return "\n".join(rows)


def older_metrics() -> str:
    """The table of older metrics."""
    rows = ["| metric | unit | labels of its own | in Prometheus |", "|---|---|---|---|"]
    for metric in names.OLDER_METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        prometheus = f"`{metric.prometheus}_{{bucket,sum,count}}`"
        rows.append(f"| `{metric.name}` | {metric.unit} | {labels} | {prometheus} |")
    return "\n".join(rows)


def settings() -> str:
    """The table of settings."""
    rows = ["| argument | variable | default | meaning |", "|---|---|---|---|"]
    for one in SETTINGS:
        cells = (f"`{one.argument}`", f"`{one.variable}`", one.default, one.meaning)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def verdicts() -> str:
    """The table of what `replymeter check` can find."""
    rows = ["| | what it says | what to do |", "|---|---|---|"]
    for one in VERDICTS.values():
        says, remedy = (
            re.sub(r"{(\w+)[^}]*}", r"*\1*", text).replace("<", "\\<")
            for text in (one.says, one.remedy)
        )
        rows.append(f"| {one.level} | {says} | {remedy} |")
    return "\n".join(rows)


PARTS = {
    "settings": settings,
    "older metrics": older_metrics,
    "metrics": metrics,
    "prometheus": prometheus,
    "values": values,
    "buckets": buckets,
    "attributes": attributes,
    "verdicts": verdicts,
    "content": content,
}
PAGES = ("README.md", "docs/check.md", "docs/settings.md", "docs/telemetry.md")


def filled(text: str, parts: Mapping[str, Callable[[], str]] = PARTS) -> str:
    """*text* with each of the generated *parts* between its markers."""
    for name, part in parts.items():
        start = START.format(name)
        if start in text:
            head, _, rest = text.partition(start)
            _, _, tail = rest.partition(END)
            text = f"{head}{start}\n\n{part()}\n\n{END}{tail}"
    return text


def main() -> None:
    """Fill every page that has a generated part."""
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
