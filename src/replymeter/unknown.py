"""What no row knows: one line in the log, once a kind and process, asks for the row.

Nothing here costs a call whose provider and finish reason are known.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from replymeter.conventions import LABEL_CAP, OTHER, PROVIDER_NAME
from replymeter.paths import word

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from replymeter.providers import Target

_LOG = logging.getLogger("replymeter")
_ASK = "Please report it (issue form `provider`), or add the rows: docs/add-a-provider.md."
_OVERRIDE = "If it is somebody else's, name them: instrument(llm, provider='...'). "
_ASKED: set[str] = set()


def ask_for_provider(model: BaseChatModel, target: Target) -> None:
    """Say that no rows know the class of *model*, or the host that it calls."""
    if type(model).__module__.startswith("langchain_core."):
        return  # its fakes, which answer for nobody
    # The application's developers chose these names; nothing of them is a reply's.
    name, counted = type(model).__qualname__[-80:], f"{PROVIDER_NAME}={word(target.provider.name)}"
    if target.unknown == "class":
        kind = f"class {word(model._llm_type)}"  # noqa: SLF001
        said = f"the {kind} ({type(model).__module__[-80:]}.{name}), which gives what LangChain's "
        said += f"common fields say, as {counted}"
    else:
        kind = f"host {word(target.address)}"
        said = f"the {kind}, which {name} calls, as {counted}"
    _once(kind, said, _OVERRIDE)


def ask_for_word(provider: str, raw: str) -> None:
    """Say that no row of *provider* knows the finish reason *raw*; content is not repeated."""
    said = word(raw)
    what = repr(said) if said else "that is no short word"
    kind = f"finish reason {what} of {word(provider)}"
    _once(kind, f"the {kind}; it counts as {OTHER!r}")


def _once(kind: str, said: str, override: str = "") -> None:
    if kind not in _ASKED and len(_ASKED) < LABEL_CAP:
        _ASKED.add(kind)
        _LOG.warning("replymeter: no row knows %s. %s%s", said, override, _ASK)
