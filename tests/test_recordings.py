"""What real provider classes made of each wire case, read without any provider's package.

`make record` writes the recordings.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from replymeter.demo.cases import about, expected
from replymeter.emit import attributes
from replymeter.failures import _body, _codes, _said
from replymeter.paths import values_at
from replymeter.providers import PROVIDERS
from tests.test_exactness import on_span
from tools.recorded import ANSWERS, MODES, RECORDINGS, Read, load, read_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replymeter.providers.spec import Blocks, Provider


@pytest.mark.parametrize(("name", "mode"), ANSWERS)
def test_recording_says_what_the_wire_said(name: str, mode: str) -> None:
    """Each fact of the wire is read from the recorded message, and none that is not on it."""
    grpc = name.startswith("vertexai/") and mode.startswith("a")
    want = expected(load(name), stream=mode.endswith("stream"), grpc=grpc)
    if "blocks" in want:
        want["blocks"] = sorted(map(list, want["blocks"]))

    assert want == on_span(attributes(read_answer(name, mode).ending))
    assert read_answer(name, mode).ending.reading.rejected == ()


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_finish_reason_is_known(name: str) -> None:
    """A provider's word is in its rows, be it as `other`."""
    for mode in MODES:
        if mode in load(name):
            answer = read_answer(name, mode)
            words = {choice.raw for choice in answer.ending.reading.choices if choice.raw}
            unknown = words - answer.provider.finish_reasons.keys()
            assert not unknown, (
                f"{name} ({mode}) ended by {sorted(unknown)}, which no row knows: add it to "
                f"finish_reasons of {answer.provider.name} in src/replymeter/providers."
            )


# --- fields that nothing reads ----------------------------------------------------------------

# Metadata that is known and left alone, and why. A path covers all that is below it. What only one
# flavour has stands under `ignored` in its `wire/<flavour>.json`.
IGNORED = {
    "response_metadata.model_provider": "LangChain's own name of the provider",
    "response_metadata.model_name": "where no row reads it, it is the request's, handed back",
    "response_metadata.model": "the same, under another name",
    "response_metadata.model_id": "the same, under another name",
    "response_metadata.object": "a constant",
    "response_metadata.created_at": "a clock; the span has its own",
    "response_metadata.service_tier": "where no row reads it, it is the request's, handed back",
    "response_metadata.is_blocked": "the ratings say what blocked",
    "response_metadata.finish_message": "explanations are content",
    "response_metadata.stop_details.explanation": "explanations are content",
    "response_metadata.stop_details.type": "a constant",
    "response_metadata.usage.cache_creation": "usage_metadata has it",
    "response_metadata.usage.output_tokens_details": "usage_metadata has it",
    "response_metadata.additionalModelResponseFields": "usage_metadata has it",
    "response_metadata.ResponseMetadata": "headers and retries of the HTTP exchange",
    "response_metadata.amazon-bedrock-guardrailAction": "read by `guarded` in its provider's file",
    "response_metadata.amazon-bedrock-invocationMetrics.firstByteLatency": "the span has its own",
    "response_metadata.inputTextTokenCount": "the invocation metrics have it",
    "response_metadata.totalOutputTextTokenCount": "the invocation metrics have it",
    "response_metadata.done": "a constant",
    "response_metadata.load_duration": "how long the server took to load the model: no queue",
    "response_metadata.logprobs": "content, but for the numbers",
    "response_metadata.prompt_feedback.block_reason_message": "explanations are content",
    "response_metadata.grounding_metadata": "content, but for how many",
    "response_metadata.citations": "content, but for how many",
    "response_metadata.documents": "content",
    "response_metadata.tool_plan": "content",
    "additional_kwargs.citations": "response_metadata has it",
    "additional_kwargs.documents": "content",
    "additional_kwargs.finish_reason": "response_metadata has it",
    "additional_kwargs.id": "response_metadata has it",
    "additional_kwargs.token_count": "response_metadata has it",
    "additional_kwargs.tool_plan": "content",
    "additional_kwargs.tool_calls": "content",
    "additional_kwargs.function_call": "content",
    "additional_kwargs.refusal": "content; that there is one is read by `replymeter.read`",
    "additional_kwargs.usage": "response_metadata has it",
    "additional_kwargs.stop_reason": "response_metadata has it",
    "additional_kwargs.model_id": "the request's, handed back",
    "additional_kwargs.reasoning": "content",
    "additional_kwargs.reasoning_content": "content",
    "additional_kwargs.reasoning_details": "content",
    "additional_kwargs._reasoning_api_fields": "names of fields of LangChain's package",
    "additional_kwargs.provider_specific_fields": "LiteLLM's copy of what has no place in it",
    "response_metadata.tool_calls": "content, which some classes repeat here",
    "response_metadata.created": "a clock; the span has its own",
    "response_metadata.cost": "OpenRouter's price; the cost counter has prices of its own",
    "response_metadata.token_usage.cost": "the same",
    "response_metadata.token_usage.cost_details": "the same",
    "response_metadata.token_usage.prompt_cache_miss_tokens": "the rest of the prompt",
    "response_metadata.token_usage.prompt_tokens_details.text_tokens": "the rest of the prompt",
    "response_metadata.num_search_queries": "no token",
    "response_metadata.search_context_size": "the request's, handed back",
    "response_metadata.prompt_filter_results": "ratings that filtered nothing",
    "response_metadata.content_filter_results": "ratings that filtered nothing",
}


def ignored(name: str) -> dict[str, str]:
    """What the flavour of a recording ignores beside IGNORED, and why."""
    said: dict[str, str] = about(name.partition("/")[0]).get("ignored", {})
    return said


def leaves(value: Any, path: str) -> Iterator[str]:
    """The path of every value that says something; an item of a list is `*`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}.*")
    elif value not in (None, "", False):
        yield path


def read_paths(provider: Provider) -> Iterator[str]:
    """Every path that the rows of *provider* read."""
    yield from provider.finish_reason
    for row in provider.fields:
        yield row.path
    for source in provider.usage:
        yield from usage_paths(source)
    for block in provider.blocks:
        yield block.path
        yield from (f"{block.path}.{key}" for key in (block.word, block.when) if key)


def usage_paths(source: Any) -> Iterator[str]:
    """Every path of one source of counts."""
    for name in ("input_tokens", "output_tokens", "total_tokens", "cache_read", "cache_write",
                 "reasoning"):  # fmt: skip
        for path in getattr(source, name):
            yield from [path] if isinstance(path, str) else path
    yield from source.input_modalities.values()
    yield from source.output_modalities.values()


def below(path: str, pattern: str) -> bool:
    """Whether *path* is at or below *pattern*."""
    steps, wanted = path.split("."), pattern.split(".")
    return len(steps) >= len(wanted) and all(
        step == want or "*" in (want, step) for step, want in zip(steps, wanted, strict=False)
    )


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_field_is_read_or_ignored(name: str) -> None:
    """Nothing in the metadata goes unnoticed."""
    for mode in MODES:
        if mode not in load(name):
            continue
        answer = read_answer(name, mode)
        known = [*read_paths(answer.provider), *IGNORED, *ignored(name)]
        unread = sorted(
            path
            for choice in answer.choices
            for root in ("response_metadata", "additional_kwargs")
            for path in set(leaves(choice[root], root))
            if not any(below(path, pattern) for pattern in known)
        )
        assert not unread, (
            f"{name} ({mode}) carries {unread}, which no row of {answer.provider.name} reads: add "
            "a row in src/replymeter/providers, or name it under `ignored` in "
            f"src/replymeter/demo/wire/{name.partition('/')[0]}.json and say why."
        )


@pytest.mark.parametrize("flavour", sorted({name.partition("/")[0] for name in RECORDINGS}))
def test_what_a_flavour_ignores_is_there(flavour: str) -> None:
    """A path goes when no recording has it any more."""
    found = {
        path
        for name, mode in ANSWERS
        if name.startswith(f"{flavour}/")
        for choice in read_answer(name, mode).choices
        for root in ("response_metadata", "additional_kwargs")
        for path in leaves(choice[root], root)
    }
    stale = [one for one in ignored(flavour) if not any(below(path, one) for path in found)]
    assert stale == []


# --- rows that nothing exercises --------------------------------------------------------------

# Rows that no recording exercises, and why: provider (* is any), row, reason.
SHARED = "a row of OpenAI's protocol, which its servers share; this one does not send it"
RARE = "documented, but no wire case says it yet"
OTHER_CLASS = "Anthropic's own; on other clouds the same error comes by the cloud's code"
VERTEX = "VertexAI only"
NO_CLASS = "a status that LangChain's class raises as an error, or that no chat request ends in"
IMAGES = ("DANGEROUS_CONTENT", "HARASSMENT", "HATE", "SEXUALLY_EXPLICIT")
WAIVED = (
    ("*", "finish reason function_call", "OpenAI's word before there were tools"),
    ("*", "finish reason compaction", RARE),
    ("*", "block response_metadata.stop_details.category frontier_llm", RARE),
    ("*", "block response_metadata.stop_details.category general_harms", RARE),
    ("*", "error code request_too_large", RARE),
    ("*", "error code timeout_error", RARE),
    *(
        (provider, "usage response_metadata.token_usage.prompt_tokens_details.cache_write_tokens",
         SHARED)
        for provider in ("azure.ai.openai", "cerebras", "deepseek", "fireworks", "groq",
                         "ibm.watsonx.ai", "litellm", "mistral_ai", "nvidia", "together", "x_ai")
    ),
    *(
        (provider, "field replymeter.system_fingerprint response_metadata.system_fingerprint",
         SHARED)
        for provider in ("fireworks", "ibm.watsonx.ai", "openrouter", "together")
    ),
    (
        "together",
        "usage response_metadata.token_usage.prompt_tokens_details.cached_tokens",
        SHARED,
    ),
    ("mistral_ai", "usage response_metadata.token_usage.num_cached_tokens", RARE),
    *(
        ("aws.bedrock", f"error code {code}", OTHER_CLASS)
        for code in ("api_error", "authentication_error", "not_found_error", "overloaded_error",
                     "permission_error", "rate_limit_error")
    ),
    ("aws.bedrock", "error text content filtering policy", OTHER_CLASS),
    ("aws.bedrock", "error text prompt is too long", OTHER_CLASS),
    ("aws.bedrock", "error text too many input tokens", RARE),
    ("aws.bedrock", "error code ModelStreamErrorException", "streams say it in lower case"),
    *(
        ("aws.bedrock",
         f"usage response_metadata.amazon-bedrock-invocationMetrics.cache{way}InputTokenCount",
         "no family but Anthropic's caches, and its streams say it themselves")
        for way in ("Read", "Write")
    ),
    *(
        ("gcp.gemini", f"block response_metadata.{where}safety_ratings.* HARM_CATEGORY_{category}",
         VERTEX)
        for where in ("", "prompt_feedback.")
        for category in ("JAILBREAK", *(f"IMAGE_{image}" for image in IMAGES))
    ),
    *(
        ("gcp.gemini", f"block response_metadata.prompt_feedback.block_reason {word}", VERTEX)
        for word in ("JAILBREAK", "MODEL_ARMOR")
    ),
    ("gcp.gemini", "block word MODEL_ARMOR", VERTEX),
    ("gcp.gemini", "finish reason MODEL_ARMOR", VERTEX),
    *(
        ("openai", f"finish reason {word}", NO_CLASS)
        for word in ("cancelled", "failed", "incomplete", "max_messages", "steered")
    ),
    *(
        ("openai", f"error text {code}: ", "the shape is that of server_error, which is recorded")
        for code in ("bio_policy", "image_content_policy_violation", "invalid_prompt",
                     "misalignment_policy_violation", "rate_limit_exceeded")
    ),
    *(
        ("openrouter", f"error text (code: {code})", "the shape is that of 429, which is recorded")
        for code in (400, 402, 408, 502, 503)
    ),
)  # fmt: skip


def rows(provider: Provider) -> set[str]:
    """Every row of *provider*, in words."""
    found = {f"field {row.attribute} {row.path}" for row in provider.fields}
    for source in provider.usage:
        found |= {f"usage {path}" for path in usage_paths(source)}
    found |= {f"finish reason {word}" for word in provider.finish_reasons}
    for kind, blocks in (("block", provider.blocks), ("error block", provider.error_blocks)):
        for block in blocks:
            found.add(f"{kind} {block.path}")
            found |= {f"{kind} {block.path} {word}" for word in block.categories}
    found |= {f"block word {word}" for word in provider.block_words}
    found |= {f"error code {code}" for code in provider.error_codes}
    return found | {f"error text {text.part}" for text in provider.error_texts}


def exercised(answer: Read) -> Iterator[str]:
    """The rows that one recorded answer exercises."""
    for choice in answer.choices:
        yield from exercised_fields(answer, choice)
        yield from exercised_blocks("block", answer.provider.blocks, choice)
    for one in answer.ending.reading.choices:
        yield f"finish reason {one.raw}"
        yield f"block word {one.raw}"
    if answer.error:
        body = {"body": _body(answer.error)}
        yield from exercised_blocks("error block", answer.provider.error_blocks, body)
        classes = (base.__name__ for base in type(answer.error).__mro__)
        yield from (f"error code {code}" for code in (*_codes(answer.error), *classes))
        for text in answer.provider.error_texts:
            if text.part in _said(answer.error):
                yield f"error text {text.part}"


def exercised_fields(answer: Read, choice: Mapping[str, Any]) -> Iterator[str]:
    """The fields and counts whose path has a value."""
    for row in answer.provider.fields:
        if row.mode in (None, answer.mode) and any(values_at(choice, row.path)):
            yield f"field {row.attribute} {row.path}"
    for source in answer.provider.usage:
        yield from (f"usage {path}" for path in usage_paths(source) if has(choice, path))


def has(choice: Mapping[str, Any], path: str) -> bool:
    """Whether there is anything at *path*."""
    return next(values_at(choice, path), None) is not None


def exercised_blocks(
    kind: str, blocks: tuple[Blocks, ...], root: Mapping[str, Any]
) -> Iterator[str]:
    """The blocks whose path has an item, with its word."""
    for block in blocks:
        for item in values_at(root, block.path):
            yield f"{kind} {block.path}"
            yield f"{kind} {block.path} {item.get(block.word) if block.word else item}"


@cache
def exercised_rows() -> dict[str, set[str]]:
    """The rows that the recordings exercise, by the provider's name."""
    found: dict[str, set[str]] = {}
    for name, mode in ANSWERS:
        answer = read_answer(name, mode)
        found.setdefault(answer.provider.name, set()).update(exercised(answer))
    return found


def waivers(provider: Provider, row: str) -> list[tuple[str, str, str]]:
    """The waivers of a provider's *row*."""
    return [waiver for waiver in WAIVED if waiver[0] in ("*", provider.name) and row == waiver[1]]


def test_no_waiver_is_stale() -> None:
    """A waiver goes when a recording exercises its rows."""
    used = {
        waiver
        for provider in PROVIDERS
        for row in rows(provider) - exercised_rows().get(provider.name, set())
        for waiver in waivers(provider, row)
    }

    assert sorted(set(WAIVED) - used) == []


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_row_is_exercised(provider: Provider) -> None:
    """A row that no recording needs is a guess."""
    if provider.name == "*":
        pytest.skip("no provider of its own: tests/test_uses.py")
    done = exercised_rows().get(provider.name)
    assert done, (
        f"{provider.name} has no recording: add wire cases for it to src/replymeter/demo/wire and "
        "its class to src/replymeter/demo/models.py, then run `make record`."
    )
    missing = {row for row in rows(provider) - done if not waivers(provider, row)}
    assert not missing, (
        f"no recording exercises these rows of {provider.name}: {sorted(missing)}. Add a wire case "
        "that does and run `make record`, or name them in WAIVED here and say why."
    )
