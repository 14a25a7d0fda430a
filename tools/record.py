"""Run the real provider classes over the wire server and write down what they make of each case.

`tools/record.py azure groq` records these flavours only; without a name, all. A flavour whose
package is not installed keeps the recordings that it has.

Writes `tests/recordings/<flavour>/<case>.json`, and for the demo on machines without provider
packages `src/replymeter/demo/replies.json`. Two runs write the same bytes.
"""

# ruff: noqa: SLF001  # it records what the classes give to LangChain, not what LangChain gives on

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import BaseModel

from replymeter.demo.cases import Case, case_names, load_case
from replymeter.demo.grpc_server import GrpcServer
from replymeter.demo.models import FLAVOURS, chat_model, installed
from replymeter.demo.script import PLAYED, demo_cases
from replymeter.demo.server import WireServer
from replymeter.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.language_models import BaseChatModel

ROOT = Path(__file__).parent.parent
RECORDINGS = ROOT / "tests" / "recordings"
REPLIES = ROOT / "src" / "replymeter" / "demo" / "replies.json"
HELLO: list[BaseMessage] = [HumanMessage("Tell me a story.")]

# What differs from run to run: the port, ids that the classes make up, the server's headers; and
# the version of pydantic in the links of its errors.
VOLATILE = (
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:0"),
    (re.compile(r"port=\d+"), "port=0"),
    (re.compile(r"0x[0-9a-f]{8,}"), "0x0"),
    (re.compile(r"(errors\.pydantic\.dev)/[0-9.]+"), r"\1/0"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "made-up"),
)
VOLATILE_KEYS = {"date", "server", "connection"}  # of HTTPHeaders
MESSAGE_FIELDS = (
    "content", "tool_calls", "tool_call_chunks", "id", "usage_metadata", "response_metadata",
    "additional_kwargs",
)  # fmt: skip
# What `replymeter.failures` may look at.
SET_UP = ("stream_usage", "use_responses_api", "vertexai")  # attributes that rows ask for
ERROR_FIELDS = ("status_code", "code", "type", "body", "response")


def plain(value: Any) -> Any:
    """*value* as JSON; TypeError for what JSON cannot hold, so that nothing is lost unseen."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {
            str(key): plain(item)
            for key, item in value.items()
            if not (key in VOLATILE_KEYS and "content-type" in value)
        }
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    raise TypeError(f"a recording cannot hold a {type(value).__qualname__}: {value!r:.200}")


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in fields.items() if value not in (None, [], {}, "")}


def _generation(generation: Any) -> dict[str, Any]:
    message = generation.message
    fields = _filled({name: getattr(message, name, None) for name in MESSAGE_FIELDS})
    if "tool_call_chunks" in fields:
        fields.pop("tool_calls", None)  # the class derives them
    recorded = {"message": fields}
    if generation.generation_info:
        recorded["generation_info"] = plain(generation.generation_info)
    return recorded


# Headers in an exception's text that say when and by what it was recorded.
_CHANGING = re.compile(r"'(server|date)': '[^']*'")


def _error(error: Exception) -> dict[str, Any]:
    classes = [base.__name__ for base in type(error).__mro__]
    recorded: dict[str, Any] = {
        "module": type(error).__module__,
        "classes": classes[: classes.index("Exception")],
        "text": _CHANGING.sub(r"'\1': ''", str(error)),
        "fields": {},
    }
    for name in ERROR_FIELDS:
        value = getattr(error, name, None)
        if name == "response" and not isinstance(value, Mapping):
            status = getattr(value, "status_code", None)
            if isinstance(status, int):
                recorded["response_status"] = status
        elif value is not None and not callable(value):
            recorded["fields"][name] = plain(value)
    return recorded


def _result(result: Any) -> dict[str, Any]:
    recorded = {"generations": [_generation(one) for one in result.generations]}
    if result.llm_output:
        recorded["llm_output"] = plain(result.llm_output)
    return recorded


async def _answer(model: BaseChatModel, mode: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What the class makes of the case in *mode*, in the words of `replymeter.demo.replay`."""
    chunks: list[Any] = []
    recorded: dict[str, Any] = {}
    try:
        if mode == "invoke":
            recorded = _result(model._generate(HELLO, **request))
        elif mode == "ainvoke":
            recorded = _result(await model._agenerate(HELLO, **request))
        elif mode == "stream":
            for chunk in model._stream(HELLO, **request):
                chunks.append(chunk)  # noqa: PERF402  # what came before an error counts
        else:
            async for chunk in model._astream(HELLO, **request):
                chunks.append(chunk)  # noqa: PERF401
    except Exception as error:  # noqa: BLE001  # it is what is recorded
        recorded["error"] = _error(error)
    if mode.endswith("stream"):
        recorded["chunks"] = [_generation(chunk) for chunk in chunks]
    return recorded


def _identity(model: BaseChatModel) -> dict[str, Any]:
    """What tells the provider of *model*, and how it is set up; addresses but for loopback."""
    paths = {path for provider in PROVIDERS for path in provider.urls if "." not in path}
    urls = {path: getattr(model, path, None) for path in sorted(paths)}
    return {
        "llm_type": model._llm_type,
        "ls_params": plain(model._get_ls_params()),
        "attributes": {
            **{path: url for path, url in urls.items() if isinstance(url, str) and _far(url)},
            **{name: True for name in SET_UP if getattr(model, name, None)},
        },
    }


def _far(url: str) -> bool:
    host = urlsplit(url if "//" in url else f"//{url}").hostname
    return host is not None and host != "127.0.0.1"


def _package(model: BaseChatModel) -> str:
    """The distribution of the class, with its version."""
    return _distribution(type(model).__module__.partition(".")[0])


@cache
def _distribution(package: str) -> str:
    (name, *_) = packages_distributions()[package]
    return f"{name} {version(name)}"


async def _record(flavour: str, name: str, sync: BaseChatModel, other: BaseChatModel) -> Case:
    """One recording; an asynchronous answer stands only where it differs from the other one."""
    case = load_case(flavour, name)
    recording = {key: case[key] for key in case if key not in ("invoke", "stream", "withheld")}
    recording |= {"class": type(sync).__name__, "package": _package(sync)}
    recording["identity"] = _identity(sync)
    for mode in ("invoke", "stream"):
        if mode in case:
            recording[mode] = await _answer(sync, mode, case.get("request", {}))
            answer = await _answer(other, f"a{mode}", case.get("request", {}))
            if _text(answer) != _text(recording[mode]):
                recording[f"a{mode}"] = answer
    return recording


async def _record_all(
    wanted: Sequence[str], wire: WireServer, grpc: GrpcServer
) -> dict[str, dict[str, Case]]:
    recordings: dict[str, dict[str, Case]] = {}
    flavours = [flavour for flavour in wanted if installed(flavour)]
    for number, flavour in enumerate(flavours, 1):
        print(f"[{number}/{len(flavours)}] {flavour}", flush=True)
        model = chat_model(flavour, wire.url(flavour, "current"))
        made = recordings[flavour] = {}
        for name in case_names(flavour):
            wire.add(flavour, "current", load_case(flavour, name))
            other = model
            if flavour == "vertexai":  # its asynchronous side speaks gRPC only
                other = chat_model(flavour, grpc.url(name), transport="grpc")
            made[name] = await _record(flavour, name, model, other)
    return recordings


def _text(value: Any) -> str:
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    for pattern, steady in VOLATILE:
        text = pattern.sub(steady, text)
    return text


def _write_recordings(recordings: dict[str, dict[str, Case]]) -> None:
    wanted = set()
    for flavour, cases in recordings.items():
        (RECORDINGS / flavour).mkdir(parents=True, exist_ok=True)
        for name, recording in cases.items():
            path = RECORDINGS / flavour / f"{name}.json"
            path.write_text(_text(recording) + "\n", encoding="utf-8")
            wanted.add(path)
    for path in set(RECORDINGS.glob("*/*.json")) - wanted:
        if path.parent.name in recordings or path.parent.name not in FLAVOURS:
            path.unlink()


def _write_replies(recordings: dict[str, dict[str, Case]]) -> None:
    """The cases that the demo plays, without what is the same in all of a flavour."""
    shared = ("class", "package", "identity")
    kept = ("expected", "expected_stream", "request", "invoke", "stream")
    earlier = json.loads(REPLIES.read_text(encoding="utf-8"))
    replies = {flavour: earlier[flavour] for flavour in PLAYED if flavour in earlier}
    for flavour in filter(recordings.__contains__, PLAYED):
        cases = recordings[flavour]
        played = {name: cases[name] for name in demo_cases(cases)}
        first = next(iter(played.values()))
        replies[flavour] = {
            **{key: first[key] for key in shared},
            "cases": {
                name: {key: case[key] for key in kept if key in case}
                for name, case in played.items()
            },
        }
    REPLIES.write_text(_text(replies) + "\n", encoding="utf-8")


def main() -> None:
    """Record every case of the flavours that are named, or of all."""
    wanted = sys.argv[1:] or FLAVOURS
    if unknown := set(wanted) - set(FLAVOURS):
        sys.exit(f"no such flavour: {', '.join(sorted(unknown))}; known: {', '.join(FLAVOURS)}")
    logging.basicConfig(level=logging.CRITICAL)
    warnings.simplefilter("ignore")  # a provider's class may be deprecated
    with WireServer() as wire, GrpcServer() as grpc:
        recordings = asyncio.run(_record_all(wanted, wire, grpc))
    _write_recordings(recordings)
    _write_replies(recordings)
    print(f"{sum(map(len, recordings.values()))} recordings in {RECORDINGS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
