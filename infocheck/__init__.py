"""Can this data set hold a gene regulatory network?

Measures the information content of expression data before any network is inferred.

>>> import infocheck as ic
>>> report = ic.assess(adata, batch="batch")  # doctest: +SKIP
>>> report.to_html("report.html")  # doctest: +SKIP

``assess`` does the work, ``Report`` is what it returns; ``assess_by`` does it for each group
of rows, and ``Groups`` is what that returns; ``design`` plans a study before
there are data, and ``Study`` is what that returns; ``evaluate`` scores predicted edges
against a known network, and ``Evaluation`` is what that returns; ``Dataset`` is expression data
with the roles of its columns, the module ``simulate`` makes data with a known truth, and
``InputError`` says in one sentence what is wrong with an input.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from infocheck.version import __version__

if TYPE_CHECKING:
    from infocheck import simulate
    from infocheck.dataset import Dataset
    from infocheck.errors import InputError
    from infocheck.evaluation import Evaluation, evaluate
    from infocheck.groups import Groups, assess_by
    from infocheck.pipeline import assess
    from infocheck.planning.study import Study, design
    from infocheck.report import Report

__all__ = [
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

# Imported on first use: pandas, anndata and seaborn take seconds, `import infocheck` must not.
_HOMES = {
    "Dataset": "infocheck.dataset",
    "Evaluation": "infocheck.evaluation",
    "Groups": "infocheck.groups",
    "InputError": "infocheck.errors",
    "Report": "infocheck.report",
    "Study": "infocheck.planning.study",
    "assess": "infocheck.pipeline",
    "assess_by": "infocheck.groups",
    "design": "infocheck.planning.study",
    "evaluate": "infocheck.evaluation",
}
_MODULES = ("simulate",)


def __getattr__(name: str) -> object:
    if name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
