"""The layering, read from the imports: they point one way only.

Imports inside ``if TYPE_CHECKING`` are for readers and do not count; imports inside
functions do.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "infocheck"

# From left to right; a module imports from its own group and from those left of it.
GROUPS = (
    {"stats"},
    {
        "adjustment",
        "alternatives",
        "calibration",
        "comparison",
        "confounders",
        "dataset",
        "decoys",
        "dependence",
        "engine",
        "errors",
        "evidence",
        "formula",
        "hidden",
        "independence",
        "jaspar",
        "knockoff_pass",
        "moments",
        "networks",
        "panel",
        "plotting",
        "proxies",
        "references",
        "regulators",
        "result",
        "roles",
        "simulate",
        "source",
        "splits",
        "thresholds",
        "values",
        "version",
    },
    {"check"},
    {"checks"},
    {
        "pipeline",
        "evaluation",
        "explain",
        "goals",
        "groups",
        "lift",
        "output",
        "planning",
        "report",
    },
    {"__init__"},
    {"__main__", "cli"},
)

# Third-party packages that only these modules may import.
DOORS = {
    "anndata": {"dataset", "simulate", "source"},
    "h5py": {"dataset", "simulate", "source"},
    "joblib": {"engine"},
    "matplotlib": {"plotting"},
    "rich": {"cli"},
    "seaborn": {"plotting"},
    "threadpoolctl": {"engine"},
    "typer": {"cli"},
    "zarr": {"dataset", "simulate", "source"},
}
STATS_MAY_IMPORT = {"numpy", "scipy", "sklearn", "statsmodels"}


def modules() -> dict[str, Path]:
    """Every module by its dotted name below the package; packages end in ``__init__``."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


MODULES = modules()


def top(module: str) -> str:
    """The name by which a module has its place: ``checks.power`` is in ``checks``."""
    return module.partition(".")[0]


def group(module: str) -> int:
    for position, members in enumerate(GROUPS):
        if top(module) in members:
            return position
    raise AssertionError(f"infocheck.{module} has no place in GROUPS of {Path(__file__).name}")


def imported(path: Path, *, at_once: bool = False) -> set[str]:
    """Absolute dotted names that a file imports, ``a.b.c`` for ``from a.b import c``.

    ``at_once`` leaves out imports inside functions.
    """
    names = set()
    for node in _counting(ast.parse(path.read_text("utf-8")), at_once=at_once):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def _counting(node: ast.AST, *, at_once: bool) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING``."""
    yield node
    if at_once and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children = node.orelse
    for child in children:
        yield from _counting(child, at_once=at_once)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    folder = path.parents[node.level - 1].relative_to(ROOT).parts
    return ".".join([*folder, *([node.module] if node.module else [])])


def own(path: Path, *, at_once: bool = False) -> set[str]:
    """Modules of infocheck that a file imports, as keys of MODULES."""
    names = imported(path, at_once=at_once)
    return {_module(name) for name in names if name.partition(".")[0] == "infocheck"}


def _module(name: str) -> str:
    """The module that defines a dotted name: the longest prefix that is a file."""
    parts = name.split(".")[1:]
    while parts:
        for candidate in (".".join(parts), ".".join([*parts, "__init__"])):
            if candidate in MODULES:
                return candidate
        parts.pop()
    return "__init__"


def foreign(path: Path) -> set[str]:
    """Top-level packages outside the standard library and infocheck."""
    packages = {name.partition(".")[0] for name in imported(path)}
    return packages - sys.stdlib_module_names - {"infocheck", "__future__"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_left(module):
    for used in own(MODULES[module]):
        assert group(used) <= group(module), f"infocheck.{module} imports infocheck.{used}"


def test_no_cycles():
    """Inside a package a function may import late what imports its own module at once."""
    graph = {}
    for module, path in MODULES.items():
        late = {used for used in own(path) if top(used) != top(module)}
        graph[module] = (late | own(path, at_once=True)) - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(" → ".join(cycle.args[1]))


@pytest.mark.parametrize("module", [name for name in MODULES if top(name) == "stats"])
def test_stats_knows_numbers_only(module):
    assert foreign(MODULES[module]) <= STATS_MAY_IMPORT
    assert {top(used) for used in own(MODULES[module])} <= {"stats"}


@pytest.mark.parametrize("module", [name for name in MODULES if top(name) == "checks"])
def test_no_check_imports_another(module):
    assert not {used for used in own(MODULES[module]) if top(used) == "checks"}


@pytest.mark.parametrize(
    "module",
    [name for name in MODULES if top(name) in {"explain", "goals", "lift", "output", "report"}],
)
def test_goals_and_report_know_no_particular_check(module):
    assert not {used for used in own(MODULES[module]) if top(used) == "checks"}
    assert not {used for used in own(MODULES[module]) if top(used) in {"dataset", "moments"}}


@pytest.mark.parametrize("module", MODULES)
def test_one_door_each(module):
    for package in foreign(MODULES[module]) & DOORS.keys():
        assert top(module) in DOORS[package], f"infocheck.{module} imports {package}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module):
    assert ast.get_docstring(ast.parse(MODULES[module].read_text("utf-8")))


def test_public_names():
    import infocheck

    public = [
        "Dataset",
        "Evaluation",
        "Groups",
        "InputError",
        "Report",
        "Study",
        "__version__",
        "assess",
        "assess_by",
        "design",
        "evaluate",
        "simulate",
    ]
    assert infocheck.__all__ == public
    assert set(infocheck.__all__) <= set(dir(infocheck))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = infocheck.nonsense


def test_public_names_are_there():
    import infocheck

    for name in infocheck.__all__:
        assert getattr(infocheck, name) is not None
    assert infocheck.assess.__name__ == "assess"
    assert callable(infocheck.assess)
    assert isinstance(infocheck.Report, type)
    assert isinstance(infocheck.Study, type)
    assert infocheck.design.__name__ == "design"
    assert isinstance(infocheck.Evaluation, type)
    assert infocheck.evaluate.__name__ == "evaluate"
    assert isinstance(infocheck.Dataset, type)
    assert infocheck.simulate.__name__ == "infocheck.simulate"


def test_the_reader_of_imports_itself(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nimport a.b\nfrom c import d\n"
        "if TYPE_CHECKING:\n    import unseen\nelse:\n    import e\n"
        "def later():\n    from f.g import h\n"
    )
    at_once = {"typing.TYPE_CHECKING", "a.b", "c.d", "e"}
    assert imported(file) == {*at_once, "f.g.h"}
    assert imported(file, at_once=True) == at_once
    assert _module("infocheck.errors.InputError") == "errors"
    assert _module("infocheck.stats") == "stats.__init__"
    assert _module("infocheck.__version__") == "__init__"
