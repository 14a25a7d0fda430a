"""A provider that nobody knows: all that LangChain's common fields say, and one line that asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from replymeter import conventions as names
from replymeter import unknown
from replymeter.demo.cases import load_case
from replymeter.demo.models import chat_model
from tests import fakes

if TYPE_CHECKING:
    from collections.abc import Callable

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

    Instrument = Callable[..., Any]
    Lines = Callable[[], list[str]]


class Stranger(fakes.SyncModel):
    """A chat model of a package that nobody has rows for."""

    @property
    def _llm_type(self) -> str:
        return "strange-chat"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """What Replymeter logged."""
    return lambda: [one.getMessage() for one in caplog.records if one.name == "replymeter"]


def test_a_class_that_nobody_knows_gives_the_common_fields(
    instrument: Instrument, captured: Captured, lines: Lines
) -> None:
    """Usage, finish reason, model, id: by LangChain's names; and the class is asked for, once."""
    answer = fakes.result(
        fakes.reply(
            usage_metadata=None, response_metadata={"finish_reason": "MAX_TOKENS", "id": "r-1"}
        ),
        model_name="strange-2",
        token_usage={"prompt_tokens": 1117, "completion_tokens": 229, "total_tokens": 1346},
    )
    instrument(Stranger(answer=answer)).invoke("hi")
    instrument(Stranger(answer=answer)).invoke("hi")

    attributes = captured.spans[0].attributes or {}
    assert attributes[names.PROVIDER_NAME] == "stranger"
    assert attributes[names.USAGE_INPUT_TOKENS] == 1117
    assert attributes[names.USAGE_OUTPUT_TOKENS] == 229
    assert attributes[names.FINISH_REASONS] == ("length",)
    assert attributes[names.RESPONSE_MODEL] == "strange-2"
    assert attributes[names.RESPONSE_ID] == "r-1"
    (line,) = lines()
    assert f"class strange-chat ({Stranger.__module__}.Stranger)" in line
    assert "provider='...'" in line
    assert "docs/add-a-provider.md" in line


def test_a_property_that_raises_costs_the_address_alone(
    instrument: Instrument, captured: Captured
) -> None:
    """Somebody's class may raise anything where the address of its server is looked for."""

    class Moody(Stranger):
        @property
        def base_url(self) -> str:
            raise RuntimeError("not configured")

    instrument(Moody()).invoke("hi")

    assert captured.total(names.FINISH_REASON_COUNT.name) == 1
    assert captured.total(names.INTERNAL_ERRORS.name) == 0


def test_a_provider_that_is_named_is_not_asked_for(instrument: Instrument, lines: Lines) -> None:
    """Whoever names it knows."""
    instrument(Stranger(), provider="in_house").invoke("hi")

    assert lines() == []


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("api.stranger.example", True),
        ("127.0.0.1", False),
        ("localhost", False),
        ("[::1]", False),
        ("vllm.internal", False),
        ("vllm.models.svc.cluster.local", False),
        ("api.deepseek.com", False),
    ],
)
def test_a_host_that_nobody_knows(
    host: str, *, asked: bool, instrument: Instrument, lines: Lines
) -> None:
    """OpenAI's class at a stranger's address; one in the user's own network is nobody's."""
    url = f"http://{host}:8000/v1"
    for _ in range(2):
        instrument(ChatOpenAI(model="m", api_key=SecretStr("k"), base_url=url, stream_usage=True))

    assert [host in line and "ChatOpenAI" in line for line in lines()] == [True] * asked


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_word_that_nobody_knows(
    mode: str, instrument: Instrument, captured: Captured, lines: Lines, wire: WireServer
) -> None:
    """Of a known provider's real class: it counts as `other`, and is asked for once."""
    case = json.loads(json.dumps(load_case("groq", "ok")).replace('"stop"', '"paused_for_lunch"'))
    llm = instrument(chat_model("groq", wire.add("groq", f"lunch_{mode}", case)))
    for _ in range(3):
        list(llm.stream("hi")) if mode == "stream" else llm.invoke("hi")

    assert captured.total(names.FINISH_REASON_COUNT.name, finish_reason="other") == 3
    (line,) = lines()
    assert "finish reason 'paused_for_lunch' of groq" in line


def test_what_may_be_content_is_not_repeated(instrument: Instrument, lines: Lines) -> None:
    """A word that is none may be anything."""
    for secret in ("my password is hunter2!", "x" * 65, "hunter2\nhunter2"):
        answer = fakes.result(fakes.reply(reason=secret))
        instrument(Stranger(answer=answer), provider="groq").invoke("hi")

    (line,) = lines()
    assert "finish reason that is no short word of groq" in line
    assert "hunter2" not in line


def test_the_lines_are_bounded(instrument: Instrument, lines: Lines) -> None:
    """A server that says something else each time does not fill the log."""
    for number in range(names.LABEL_CAP + 10):
        answer = fakes.result(fakes.reply(reason=f"word-{number}"))
        instrument(Stranger(answer=answer), provider="groq").invoke("hi")

    assert len(lines()) == names.LABEL_CAP - 1  # tests/conftest.py has one


def test_what_is_known_is_not_asked_for(
    instrument: Instrument, lines: Lines, wire: WireServer
) -> None:
    """No line, nor a look at what was asked for, for known words of a known class."""
    for name in ("ok", "length", "tool_calls"):
        instrument(chat_model("groq", wire.url("groq", name))).invoke("hi")

    assert lines() == []
    assert not unknown._ASKED - {"class fake"}  # as tests/conftest.py has it
