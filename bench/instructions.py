"""Machine instructions of a call and of a streamed chunk, counted by Valgrind's callgrind.

`python -m bench.instructions` is what callgrind watches. It counts only within `_REGION`, a
function of the interpreter through which nothing else goes, and writes one count for each time.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench.layers import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.page import Table

_REGION = "PyRun_SimpleStringFlags"
_RUN = b"import bench.instructions as here; here.WORK[-1]()"
WORK: list[Callable[[], object]] = []


def calls(model: Any, number: int) -> Callable[[], object]:
    """*number* times `invoke`."""
    return lambda: [model.invoke("x") for _ in range(number)]


def chunks(model: Any, number: int) -> Callable[[], object]:
    """One `stream` of *number* chunks."""
    longer = model.model_copy(update={"chunks": number})
    return lambda: list(longer.stream("x"))


COLUMNS = {"`invoke`": (calls, 20, 40), "a chunk of `stream`": (chunks, 100, 200)}
"""What is counted, with few and with many: the difference is what each one costs."""
NAMES = ("none", "floor", "replymeter")


def count() -> None:
    """Run every combination in the order in which `measure` reads them."""
    ctypes.pythonapi.PyRun_SimpleString.argtypes = [ctypes.c_char_p]
    for layer in plain().values():
        with layer() as model:
            for make, *numbers in COLUMNS.values():
                for number in numbers:
                    work = make(model, number)
                    work()
                    gc.collect()
                    WORK.append(work)
                    ctypes.pythonapi.PyRun_SimpleString(_RUN)


def measure() -> Table | str:
    """Instructions by layer and column, or why there are none."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return "valgrind is not on the PATH"
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        watch = (f"--toggle-collect={_REGION}", f"--dump-after={_REGION}")
        done = subprocess.run(
            (valgrind, "--tool=callgrind", "--collect-atstart=no", *watch,
             f"--callgrind-out-file={out}", sys.executable, "-m", "bench.instructions"),
            check=False, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        if done.returncode:
            return f"callgrind failed: {(done.stderr.strip().splitlines() or [''])[-1]}"
        counted = [_total(path) for path in sorted(out.parent.glob("out.*"), key=_number)]
    return _rows(counted)


def _rows(counted: list[int]) -> Table | str:
    wanted = list(product(NAMES, COLUMNS))
    if len(counted) != 2 * len(wanted):
        return f"callgrind does not see {_REGION} in this build of Python"
    table: Table = {name: {} for name in NAMES}
    for place, (name, column) in enumerate(wanted):
        _, few, many = COLUMNS[column]
        less, more = counted[2 * place : 2 * place + 2]
        table[name][column] = (more - less) / (many - few)
    return table


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _total(path: Path) -> int:
    found = re.search(r"^totals: (\d+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    # The names under which the counted code looks them up, not those of `__main__`.
    from bench import instructions

    instructions.count()
