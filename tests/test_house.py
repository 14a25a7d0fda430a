"""The rules that the code as a whole keeps."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import replymeter
from replymeter import conventions as names
from replymeter.providers import PROVIDERS

SOURCE = Path(replymeter.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))


def _id(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_a_module_is_under_300_lines_and_a_function_under_40(path: Path) -> None:
    """What is longer is two things."""
    text = path.read_text(encoding="utf-8")
    lengths = {
        node.name: (node.end_lineno or 0) - node.lineno + 1 - _docstring_lines(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }

    assert {name: lines for name, lines in lengths.items() if lines >= 40} == {}
    assert len(text.splitlines()) < 300


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and ast.get_docstring(node) is not None
    return (first.end_lineno or 0) - first.lineno + 1 if documented else 0


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent == SOURCE], ids=lambda path: path.name
)
def test_no_provider_is_named_outside_its_file(path: Path) -> None:
    """What a provider does differently is a row or a function in its own file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    }
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    known = {name for provider in PROVIDERS for name in (provider.name, *provider.llm_types)}

    assert (texts - docs) & (known - {"*"}) == set()


def test_a_published_name_is_written_in_conventions_only() -> None:
    """No other module spells out an attribute or a metric."""
    published = {*names.ATTRIBUTES, *names.CONTENT, *(metric.name for metric in names.METRICS)}
    spelled = {
        (_id(path), node.value)
        for path in MODULES
        if path.parent.name != "conventions"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in published
    }

    assert spelled == set()


def test_the_public_face() -> None:
    """`replymeter` exports these names and no others."""
    assert replymeter.__all__ == sorted(replymeter.__all__)
    assert set(replymeter.__all__) == {"instrument", "start", "uninstrument"}


def test_import_loads_no_sdk_exporter_or_provider_package() -> None:
    """Beyond what langchain-core loads itself, the import and `instrument` load only the API."""
    program = """
import sys
import langchain_core.language_models, langchain_core.runnables.configurable
from langchain_core.language_models import FakeListChatModel
import opentelemetry.trace, opentelemetry.metrics
before = set(sys.modules)
import replymeter
replymeter.instrument(FakeListChatModel(responses=["hi"]))
loaded = {name for name in set(sys.modules) - before if not name.startswith("replymeter")}
print(sorted(name for name in loaded if name.startswith(("opentelemetry.sdk",
    "opentelemetry.exporter", "grpc", "rich", "langchain_", "openai", "anthropic", "boto"))
    and not name.startswith("langchain_core")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "[]\n"


def test_every_metric_has_a_label_list_a_meaning_and_a_prometheus_name() -> None:
    """A metric's Prometheus name is its own, with the suffixes of its kind and unit."""
    for metric in names.METRICS:
        escaped = metric.name.replace(".", "_")
        suffix = {"s": "_seconds", "{token}/s": "_per_second", "USD": "_USD"}.get(metric.unit, "")
        total = "_total" if metric.kind == "counter" else ""
        assert metric.prometheus == escaped + suffix + total
        assert metric.meaning
        assert set(metric.labels) <= set(names.ATTRIBUTES)
        assert (metric.buckets is None) == (metric.kind == "counter")
