"""What should never stand in a reply, every place where it could, and what must hold then."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from replymeter import conventions as names
from replymeter.providers import PROVIDERS
from tests.fakes import Provider, StreamModel, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.testing import Captured

    Instrument = Callable[..., Any]


class Nasty:
    """Raises at whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __iter__(self) -> Any:
        raise RuntimeError("iter")

    def __str__(self) -> str:
        raise RuntimeError("str")


class NastyText(str):
    """A text that raises when it is compared or hashed."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")


class NastyDict(dict[str, Any]):
    """A dict that raises when it is read."""

    def get(self, *args: Any) -> Any:
        """Be read."""
        raise RuntimeError("get")

    def items(self) -> Any:
        """Be walked."""
        raise RuntimeError("items")

    def keys(self) -> Any:
        """Be listed."""
        raise RuntimeError("keys")

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("getitem")


class Locked(Mapping[str, Any]):
    """A mapping that has keys, and raises at each value."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("getitem")

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class Endless(Locked):
    """A mapping that raises in the middle of its keys."""

    def __iter__(self) -> Iterator[str]:
        yield "input_tokens"
        raise RuntimeError("iter")


class Text(str):
    """A text of a class of its own, as SDKs have."""

    __slots__ = ()


class Number(int):
    """The same for a number."""


class Fields(dict[str, Any]):
    """The same for a dict."""


class Word(str, Enum):  # as SDKs have them
    """An enum of texts."""

    STOP = "stop"


class Opaque(Enum):
    """An enum whose value is no text."""

    STOP = ("stop", None)


class Status(IntEnum):
    """An enum of numbers."""

    STOP = 1


def cyclic() -> dict[str, Any]:
    """A dict that holds itself."""
    circle: dict[str, Any] = {}
    circle["self"] = circle["finish_reason"] = circle["token_usage"] = circle
    return circle


def deep(depth: int = 20_000) -> dict[str, Any]:
    """A dict in a dict in a dict ..."""
    made: dict[str, Any] = {}
    for _ in range(depth):
        made = {"token_usage": made}
    return made


GARBAGE: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "text": lambda: "stop",
    "empty": lambda: "",
    "surrogate": lambda: "\ud800stop\udfff",
    "huge text": lambda: "stop" * 250_000,
    "control": lambda: "a\x00b\n\x1b[31m",
    "list": lambda: ["stop", 1, None, ["stop"]],
    "set": lambda: {"stop"},
    "bytes": lambda: b"\xff\x00",
    "nan": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "negative": lambda: -1,
    "bool": lambda: True,
    "huge int": lambda: 10**400,
    "float": lambda: 1.5,
    "complex": lambda: 1j,
    "cyclic": cyclic,
    "deep": deep,
    "huge list": lambda: list(range(200_000)),
    "huge dict": lambda: dict.fromkeys(range(50_000), "stop"),
    "keys": lambda: {None: 1, 3: 2, (): 3, True: 4},
    "nasty": Nasty,
    "nasty text": lambda: NastyText("stop"),
    "nasty dict": lambda: NastyDict(finish_reason="stop", input_tokens=3),
    "class": lambda: Nasty,
    "generator": lambda: (n for n in range(3)),
}
HOSTILE: dict[str, Callable[[], Any]] = {
    "own text": lambda: Text("stop"),
    "own number": lambda: Number(3),
    "own dict": lambda: Fields(finish_reason="stop", input_tokens=3, type="refusal"),
    "enum of texts": lambda: Word.STOP,
    "enum of numbers": lambda: Status.STOP,
    "enum of objects": lambda: Opaque.STOP,
    "locked": lambda: Locked("input_tokens", "finish_reason", "blocked", "category"),
    "endless": lambda: Endless("input_tokens"),
    "list of the locked": lambda: [Locked("type", "text"), Endless("action")],
    "list of lists": lambda: [[["stop"] * 100] * 100] * 100,
    "megabyte": lambda: "x" * 2**20,
    "glued": lambda: "STOP" * 100_000,
    "nearly glued": lambda: "STOP" * 249 + "STO",
    "glued beyond": lambda: "STOPMAX_TOKENS" * 71 + "SAFETY?",
    "two choices often": lambda: "stoplength" * 100,
    "deep list": lambda: deep_list(10_000),
    "million items": lambda: [{"logprob": -1.0}] * 10**6,
    "giant int": lambda: 10**5000,
    "surrogates": lambda: {"\ud800": "\udfff", "finish_reason": "\udc00" * 64},
}
"""What Python can hold and JSON cannot, and what is large: values and containers."""
FIELDS = ("response_metadata", "usage_metadata", "additional_kwargs", "content", "id", "tool_calls")
KEYS = (
    "finish_reason", "stop_reason", "token_usage", "usage", "usage_metadata", "safety_ratings",
    "prompt_feedback", "model_name", "model", "id", "logprobs", "status", "incomplete_details",
    "service_tier", "system_fingerprint", "trace", "metrics", "x_groq", "stop_details",
)  # fmt: skip
COUNTS = ("input_tokens", "output_tokens", "total_tokens", "input_token_details")
PLACES = (
    *FIELDS,
    *(f"response_metadata.{key}" for key in KEYS),
    *(f"usage_metadata.{key}" for key in COUNTS),
    "additional_kwargs.refusal",
    "generation_info",
    "generation_info.finish_reason",
    "llm_output",
    "llm_output.token_usage",
)
KINDS = tuple(dict.fromkeys(kind for provider in PROVIDERS for kind in provider.llm_types))


def spoilt(place: str, garbage: Any) -> dict[str, Any]:
    """The fields of a good reply with *garbage* at *place*."""
    fields: dict[str, Any] = {
        "content": "hi",
        "response_metadata": {"finish_reason": "stop"},
        "usage_metadata": usage(),
        "additional_kwargs": {},
        "id": None,
        "tool_calls": [],
        "tool_call_chunks": [],
        "generation_info": {},
        "llm_output": {},
    }
    field, _, key = place.partition(".")
    if key:
        fields[field] = {**fields[field], key: garbage}
    else:
        fields[field] = garbage
    return fields


def result_of(place: str, garbage: Any) -> ChatResult:
    """A result that no validation has seen."""
    fields = spoilt(place, garbage)
    info, llm_output = fields.pop("generation_info"), fields.pop("llm_output")
    message = AIMessage.model_construct(type="ai", **fields)
    generation = ChatGeneration.model_construct(message=message, text="hi", generation_info=info)
    return ChatResult.model_construct(generations=[generation], llm_output=llm_output)


def chunk_of(place: str, garbage: Any) -> ChatGenerationChunk:
    """A chunk that no validation has seen."""
    fields = spoilt(place, garbage)
    info = fields.pop("generation_info")
    del fields["llm_output"]
    message = AIMessageChunk.model_construct(type="AIMessageChunk", **fields)
    return ChatGenerationChunk.model_construct(message=message, text="hi", generation_info=info)


def deep_list(depth: int) -> list[Any]:
    """A list in a list in a list ..."""
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


class Raw(Provider, StreamModel):
    """Gives its chunks as they are."""

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        yield from self.chunks


def drive(llm: Raw, place: str, garbage: Any) -> None:
    """Call the provider's methods as LangChain does; what comes out is what went in."""
    llm.answer = result_of(place, garbage)
    assert llm._generate([]) is llm.answer
    llm.chunks = [chunk_of(place, garbage)] * 2
    given = list(llm._stream([]))
    assert [one is two for one, two in zip(given, llm.chunks, strict=True)] == [True, True]


def check(captured: Captured, spans: int) -> None:
    """No span is lost, spans and metrics have the same sums, and OTLP can carry them."""
    encode_spans(captured.spans).SerializeToString()
    said: list[dict[str, Any]] = [dict(span.attributes or {}) for span in captured.spans]
    assert len(said) == spans
    assert captured.count(names.DURATION.name) == spans
    for on_span, metrics in (
        (names.USAGE_INPUT_TOKENS, (names.INPUT_TOKENS, names.INPUT_TOKENS_PER_CALL)),
        (names.USAGE_OUTPUT_TOKENS, (names.OUTPUT_TOKENS, names.OUTPUT_TOKENS_BY_REASON)),
    ):
        total = sum(attributes.get(on_span, 0) for attributes in said)
        assert [captured.total(metric.name) for metric in metrics] == [total, total]
    reasons = sum(len(attributes[names.FINISH_REASONS]) for attributes in said)
    assert captured.total(names.FINISH_REASON_COUNT.name) == reasons
