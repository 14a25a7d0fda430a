"""Where Replymeter logs: one logger, by the name that its telemetry has, too."""

import logging

SCOPE = "replymeter"
LOG = logging.getLogger(SCOPE)
