"""docs/add-a-provider.md, done in a copy of the tree: new files only, and generated ones change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from replymeter.demo.models import installed

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "end_to_end")
GENERATED = ("docs/providers.md",)
# What docs/add-a-provider.md has one make.
WIRE = Path("src/replymeter/demo/wire")
CASES = sorted(path.name for path in (ROOT / WIRE / "moonshot").iterdir())
NEW = (
    "src/replymeter/providers/moonshot.py",
    "src/replymeter/demo/models_moonshot.py",
    str(WIRE / "moonshot.json"),
    *(str(WIRE / "moonshot" / case) for case in CASES),
)


def renamed(text: str) -> str:
    """Moonshot's text, as Acme's."""
    return text.replace("moonshot", "acme").replace("Moonshot", "Acme").replace("MOONSHOT", "ACME")


def files(root: Path) -> dict[str, bytes]:
    """What every file below *root* holds, by its path, without what Python made."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def run(tree: Path, *arguments: str) -> None:
    """Run Python in *tree*, which must go well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"src{os.pathsep}."},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy, with the files of a new provider: Moonshot's, under a name that nobody has."""
    for part in ("src", "tests", "tools", "docs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=LEFT_OUT)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in NEW:
        path = tmp_path / renamed(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(renamed((ROOT / name).read_text(encoding="utf-8")), encoding="utf-8")
    add_a_field_of_its_own(tmp_path / WIRE)
    return tmp_path


def add_a_field_of_its_own(wire: Path) -> None:
    """A count that only Acme sends, and that its rows leave alone."""
    case = json.loads((wire / "acme/ok.json").read_text(encoding="utf-8"))
    case["invoke"]["body"]["usage"]["acme_units"] = 17
    (wire / "acme/ok.json").write_text(json.dumps(case), encoding="utf-8")
    about = json.loads((wire / "acme.json").read_text(encoding="utf-8"))
    about["ignored"] = {"response_metadata.token_usage.acme_units": "what Acme bills by"}
    (wire / "acme.json").write_text(json.dumps(about), encoding="utf-8")


@pytest.mark.timeout(400)  # it starts Python three times
@pytest.mark.skipif(not installed("moonshot"), reason="langchain-openai is not installed")
def test_adding_a_provider_edits_no_file(tree: Path) -> None:
    """The five steps, by their commands; every other file is as it was."""
    before = files(tree)

    run(tree, "tools/record.py", "acme")
    run(tree, "-m", "tools.provider_page")
    tests = [f"tests/test_{name}.py" for name in ("recordings", "withheld", "exactness")]
    run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "acme")

    after = files(tree)
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == set(GENERATED)
    assert after.keys() - before.keys() == {f"tests/recordings/acme/{case}" for case in CASES}
    assert "`acme_ai`" in (tree / "docs/providers.md").read_text(encoding="utf-8")
