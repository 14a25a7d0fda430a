"""A stream, folded chunk by chunk into what `read` reads, without LangChain's merge of strings."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any

from langchain_core.messages.ai import add_usage

from replymeter.paths import count, value_at
from replymeter.reading import Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.providers.spec import Provider
    from replymeter.read import RawChoice

_SAID_EACH_TIME = "model_provider"  # most chunks say no more, and no row reads it
_FIELDS = (
    "content",
    "tool_call_chunks",
    "usage_metadata",
    "response_metadata",
    "additional_kwargs",
    "id",
)
_SAID = attrgetter(*_FIELDS)
_TEXTS = ("text", "text_delta", "output_text")
_LOGPROBS = "logprobs"  # come in pieces, which belong together


class Fold:
    """What the chunks of one call have said so far, and when: seconds of the performance counter.

    `first` is the first chunk's time, `first_text` and `last_text` are those of chunks with text or
    a tool call; the firsts are None before there is one.
    Of each key of the metadata the last value that says something is kept. Usage is added as
    LangChain adds it, and the last one kept beside, for servers that repeat running totals
    unasked; where the provider's protocol has them, the last of each count is taken.
    """

    __slots__ = (
        "_added",
        "_choices",
        "_empty",
        "_failed",
        "_input",
        "_kwargs",
        "_last",
        "_message_id",
        "_metadata",
        "_provider",
        "_reasons",
        "_refusals",
        "_tool_calls",
        "first",
        "first_text",
        "last_text",
        "running_totals",
    )

    def __init__(
        self, provider: Provider, choices: int, failed: Callable[[Exception], None]
    ) -> None:
        self.first: float | None = None
        self.first_text: float | None = None
        self.last_text = 0.0
        self.running_totals = False
        self._provider = provider
        self._choices = choices
        self._failed = failed
        self._reasons: list[Any] = []
        self._metadata: dict[str, Any] = {}
        self._kwargs: dict[str, Any] = {}
        self._refusals: list[Any] = []
        self._message_id: Any = None
        self._tool_calls = False
        self._empty = True
        self._input = 0
        self._added: Any = None
        self._last: Any = None

    def take(self, chunk: Any) -> None:
        """Fold one chunk, which came now. Runs once a chunk; what it raises goes to `failed`."""
        now = perf_counter()
        try:
            try:
                content, calls, usage, metadata, kwargs, identity = _SAID(chunk.message)
            except AttributeError:  # not of an assistant
                content, calls, usage, metadata, kwargs, identity = (
                    getattr(chunk.message, field, None) for field in _FIELDS
                )
            if self.first is None:
                self.first = now
            if content or calls:
                if calls or self.first_text is None or type(content) is not str:
                    self._write(content, calls, now)
                else:
                    self.last_text = now
            info = chunk.generation_info
            if usage or info or kwargs or identity is not None:
                metadata = self._take_rare(usage, info or {}, metadata, kwargs, identity)
            if metadata and (len(metadata) > 1 or _SAID_EACH_TIME not in metadata):
                self._keep(metadata)
        except Exception as error:  # noqa: BLE001
            self._failed(error)

    def timing(self, started: float, duration: float) -> Timing:
        """The clock of a call that *started* then and took *duration*."""
        if self.first is None:
            return Timing(duration)
        writing = None if self.first_text is None else self.last_text - self.first_text
        return Timing(duration, self.first - started, writing or None)

    def choices(self) -> list[RawChoice]:
        """The choices so far, as `read` takes them; several when several were asked for."""
        shared = {
            "usage_metadata": self._last if self.running_totals else self._added or {},
            "additional_kwargs": self._kwargs,
            "message_id": self._message_id,
            "content": self._refusals,
            "empty": self._empty,
            "tool_calls": self._tool_calls,
        }
        if self._choices == 1 or not self._reasons:
            return [{**shared, "response_metadata": self._metadata}]
        key = self._provider.finish_reason[0].rpartition(".")[2]
        return [
            {**shared, "response_metadata": {**self._metadata, key: reason}}
            for reason in self._reasons[: self._choices]
        ]

    def _take_rare(self, usage: Any, info: Any, metadata: Any, kwargs: Any, identity: Any) -> Any:
        if identity is not None:
            self._message_id = identity
        for part, take in ((usage, self._count), (kwargs, self._take_kwargs)):
            try:
                if part:
                    take(part)
            except Exception as error:  # noqa: BLE001, PERF203  # costs its own part alone
                self._failed(error)
        return {**info, **(metadata or {})}

    def _write(self, content: Any, calls: Any, now: float) -> None:
        if content:
            self._empty = False
        if calls:
            self._tool_calls = True
        try:
            if type(content) is not str and not self._has_text(content) and not calls:
                return
        except Exception as error:  # noqa: BLE001
            self._failed(error)
            return
        self.last_text = now
        if self.first_text is None:
            self.first_text = now

    def _take_kwargs(self, kwargs: Mapping[str, Any]) -> None:
        self._kwargs.update({k: v for k, v in kwargs.items() if v})

    def _keep(self, metadata: Mapping[str, Any]) -> None:
        for key, value in metadata.items():
            if key == _LOGPROBS and isinstance(value, Mapping):
                earlier = self._metadata.setdefault(key, {"content": []})
                earlier["content"] += value.get("content") or ()
            elif isinstance(value, str):
                if value and value not in self._provider.ignored_reasons:
                    self._metadata[key] = value
            elif value is not None:
                self._metadata[key] = value
        if self._choices > 1:
            root = {"response_metadata": metadata}
            found = (value_at(root, path) for path in self._provider.finish_reason)
            self._reasons += filter(None, found)

    def _count(self, usage: Any) -> None:
        if self._provider.running_totals:
            self._added = _latest(self._added or {}, usage)
            return
        read = usage.get("input_tokens")
        if not read and self._input and self._repeats_input(usage):
            read = self._input
            usage = {**usage, "input_tokens": read}
        if read:
            self.running_totals = self.running_totals or read == self._input
            self._input = read
        self._added = usage if self._added is None else add_usage(self._added, usage)
        self._last = usage

    def _repeats_input(self, usage: Any) -> bool:
        # LangChain's package for watsonx takes the input of the first chunk only, but hands on
        # the total of each: where that holds the input again, these are running totals.
        total, written = count(usage.get("total_tokens")), count(usage.get("output_tokens"))
        return total is not None and written is not None and total - written == self._input

    def _has_text(self, content: Any) -> bool:
        found = False
        for block in content:
            if isinstance(block, str):
                found = found or bool(block)
            elif block.get("type") == "refusal":
                self._refusals.append({"type": "refusal"})
            elif block.get("type") in _TEXTS and block.get("text"):
                found = True
        return found


def _latest(earlier: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, Any]:
    """The last that was said of each count; a 0 in place of what a chunk does not repeat is not."""
    said = {key: value for key, value in usage.items() if value or key not in earlier}
    return {**earlier, **said, "total_tokens": None}  # LangChain's, of each chunk alone
