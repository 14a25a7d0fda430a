"""Every name, unit, bucket and label value that Replymeter publishes: data only.

Names follow the newest OpenTelemetry GenAI conventions (semantic-conventions-genai, main of
October 2026, stability "development"). What they do not cover has the prefix `replymeter.`.
A name stands here and nowhere else, so a rename is an import error and never an empty panel.
"""

from replymeter.conventions.attributes import *  # noqa: F403
from replymeter.conventions.metrics import *  # noqa: F403
from replymeter.conventions.values import *  # noqa: F403
