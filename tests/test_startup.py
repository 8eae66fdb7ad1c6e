"""Starting is quick, because nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import infocheck

HEAVY = ("anndata", "h5py", "joblib", "matplotlib", "pandas", "scipy", "seaborn", "sklearn")
HEAVY += ("statsmodels",)


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own that may keep byte code, as an installed one does."""
    environment = {**os.environ, "PYTHONPATH": str(Path(infocheck.__file__).parents[1])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )


def best_of_three(*arguments: str) -> float:
    """Seconds of the fastest start: the machine may be busy, the code is not slower for it."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        start(*arguments)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def test_help_takes_less_than_a_second():
    assert best_of_three("-m", "infocheck", "--help") < 1.0


def test_import_takes_less_than_half_a_second():
    bare = best_of_three("-c", "pass")
    assert best_of_three("-c", "import infocheck") - bare < 0.5


@pytest.mark.parametrize("module", ["infocheck", "infocheck.cli"])
def test_import_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = set(start("-c", code).stdout.split())
    assert "infocheck" in loaded
    assert loaded.isdisjoint(HEAVY), loaded.intersection(HEAVY)


def test_cheap_mistakes_load_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom infocheck.cli import app\n"
        f"try: app(['report', {str(tmp_path / 'absent.h5ad')!r}])\n"
        "except SystemExit as end: print(end.code)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    code_and_modules = start("-c", code).stdout.split()
    assert code_and_modules[0] == "3"
    assert set(code_and_modules).isdisjoint(HEAVY)
