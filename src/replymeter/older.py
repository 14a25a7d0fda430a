"""The metrics of conventions 1.37 to 1.41, for dashboards that people have already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.emit import Measurement
    from replymeter.reading import Ending


def older_measurements(ending: Ending) -> Iterator[Measurement]:
    """What the call adds to the older metrics."""
    failure, usage = ending.failure, ending.reading.usage
    labels = ((names.ERROR_TYPE, failure.type),) if failure else ()
    yield names.OLDER_DURATION, ending.timing.duration, labels
    if usage is None:
        return
    for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
        if tokens is not None:
            yield names.OLDER_TOKEN_USAGE, tokens, ((names.TOKEN_TYPE, kind),)
