"""Finish reasons: from a provider's word to the normal one, also when LangChain glued several."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from replymeter.conventions import OTHER
from replymeter.paths import word
from replymeter.unknown import ask_for_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replymeter.providers.spec import Provider

MISSING = "missing"
MOST_CHOICES = 128
"""As many choices as OpenAI gives: https://platform.openai.com/docs/api-reference/chat/create, `n`,
read 2026-11-24."""


def normalise(raw: str | None, provider: Provider) -> list[tuple[str | None, str]]:
    """The word and normal reason of each choice that *raw* speaks of.

    LangChain's merge of chunks concatenates: `STOPSTOP` is one reason said twice,
    `stoplength` are two choices. No word, or only words that the provider uses for "not yet",
    is `missing`; a word that no row knows is `other`.
    """
    known = provider.finish_reasons
    if raw is not None and raw in known and raw not in provider.ignored_reasons:
        return [(raw, known[raw])]
    for ignored in provider.ignored_reasons:
        raw = raw.replace(ignored, "") if raw else raw
    if not raw:
        return [(None, MISSING)]
    words = _split(raw, tuple(sorted(known, key=len, reverse=True)))
    if words is not None and len(set(words)) == 1:
        words = words[:1]
    if words is None or len(words) > MOST_CHOICES:
        ask_for_word(provider.name, raw)
        return [(word(raw), OTHER)]  # it may be content
    return [(single, known[single]) for single in words]


@lru_cache(maxsize=1024)
def _split(raw: str, known: Iterable[str]) -> tuple[str, ...] | None:
    words: list[str] = []
    position = 0
    while position < len(raw):
        match = next((word for word in known if raw.startswith(word, position)), None)
        if match is None:
            return None
        words.append(match)
        position += len(match)
    return tuple(words)
