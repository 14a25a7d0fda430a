"""An app whose prompts, key, headers, tools, replies and failures hold canaries.

It takes no argument. Its exit status is 1 when a call did not do what it should.
"""

from __future__ import annotations

import base64
import sys
from typing import Any

import replymeter
from replymeter.demo.models import chat_model
from replymeter.demo.server import WireServer
from tests.fakes import SyncModel, reply, result
from tests.test_secrets import CONFIG, PROMPT, SECRET, TOOL

IMAGE = base64.b64encode(SECRET.encode() * 3).decode()
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}
MESSAGES: list[Any] = [*PROMPT, ("user", [{"type": "text", "text": SECRET}, PICTURE])]
SECRETS = {"api_key": f"key-{SECRET}", "default_headers": {"x-secret": SECRET}}
WORKS, FAILS = ("ok", "secret", "secret_refusal"), ("secret_error", "error_429")
ERRORS = (ValueError(SECRET), RuntimeError(f"Bearer {SECRET}"))
CALLS = 2 * len(WORKS + FAILS) + len(ERRORS) + 1


def invoke(llm: Any) -> bool:
    """One call; whether it ended well."""
    try:
        llm.invoke(MESSAGES, config=CONFIG, tools=[TOOL], user=SECRET)
    except Exception:  # noqa: BLE001  # that is what it is for
        return False
    return True


def stream(llm: Any) -> bool:
    """The same, streamed."""
    try:
        list(llm.stream(MESSAGES, config=CONFIG, tools=[TOOL], user=SECRET))
    except Exception:  # noqa: BLE001
        return False
    return True


def main() -> None:
    """Make calls that end well, and badly."""
    replymeter.start()
    ended = []
    with WireServer() as wire:
        for case in WORKS + FAILS:
            llm = replymeter.instrument(chat_model("openai", wire.url("openai", case), **SECRETS))
            ended += [invoke(llm), stream(llm)]
    fake = replymeter.instrument(SyncModel(answer=result(reply(SECRET)), errors=list(ERRORS)))
    ended += [invoke(fake) for _ in range(len(ERRORS) + 1)]
    well = [True] * 2 * len(WORKS)
    sys.exit(ended != [*well, *[False] * (2 * len(FAILS) + len(ERRORS)), True])


if __name__ == "__main__":
    main()
