"""A model in one line, ``~ batch + (1|donor) + cell_type``: which factors, fixed or random.

The notation of lme4 (Bates et al. 2015) for random intercepts; all else is read by
formulaic. Names are columns of obs, roles such as ``batch``, or ``depth``, the log row total.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from infocheck.errors import InputError, suggest

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.roles import Role

DEPTH = "depth"
# Sums are kept for every design column, gene and group of rows.
MAX_COLUMNS = 500
_RANDOM = re.compile(r"\(\s*([^()|]*?)\s*\|\s*([^()|]*?)\s*\)")
_UNLABELLED = "(no label)"
_EXAMPLE = "write for instance '~ batch + (1|donor) + cell_type'"


@dataclass(frozen=True)
class Formula:
    """A formula, taken apart.

    Attributes
    ----------
    text
        As it was given.
    fixed
        Its fixed part, without ``~``; ``1`` where there is none.
    random
        Grouping factors of the random intercepts; each is one or more names whose
        combinations are the levels.
    """

    text: str
    fixed: str
    random: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Design:
    """Design columns of a formula for every kept row.

    Attributes
    ----------
    text
        The formula.
    matrix
        Sparse, shape (n, k).
    columns
        Design columns of each term by its name.
    random
        Names of the terms that are random.
    """

    text: str
    matrix: sp.csr_matrix
    columns: Mapping[str, np.ndarray]
    random: tuple[str, ...]


def parse(text: str) -> Formula:
    """Take a formula apart, without looking at data.

    ``(1|a/b)`` is ``(1|a) + (1|a:b)``, b nested in a.

    Raises
    ------
    InputError
        There is a left side, a random slope, or no term at all.
    """
    if "__" in text:
        raise InputError(f"--formula {text!r}: names with __ are not read; rename the column.")
    left, tilde, right = text.partition("~")
    if not tilde:
        left, right = "", text
    if left.strip():
        raise InputError(
            f"--formula: {left.strip()!r} stands left of ~, but the left side is every gene; "
            f"{_EXAMPLE}."
        )
    groups: list[tuple[str, ...]] = []
    for slope, grouping in _RANDOM.findall(right):
        if slope != "1":
            raise InputError(
                f"--formula: ({slope}|{grouping}) is a random slope; only random intercepts are "
                f"known, (1|{grouping})."
            )
        groups += _grouping(grouping)
    fixed = re.sub(r"\s+", " ", _RANDOM.sub("1", right)).strip()
    if "|" in fixed:
        raise InputError(f"--formula: there is a | outside of (1|...); {_EXAMPLE}.")
    if not fixed or (not groups and fixed in ("0", "1")):
        raise InputError(f"--formula {text!r} names no factor; {_EXAMPLE}.")
    return Formula(text.strip(), fixed, tuple(dict.fromkeys(groups)))


def _grouping(text: str) -> list[tuple[str, ...]]:
    """Names of each random factor: ``a/b`` stands for a and the combinations of a and b."""
    nested = [
        tuple(name.strip().strip("`") for name in part.split(":")) for part in text.split("/")
    ]
    if not all(name for part in nested for name in part):
        raise InputError(f"--formula: (1|{text}) lacks a name; {_EXAMPLE}.")
    return [sum(nested[: depth + 1], ()) for depth in range(len(nested))]


def design(
    formula: Formula,
    obs: pd.DataFrame,
    roles: Mapping[str, Role],
    depth: np.ndarray | None,
) -> Design:
    """Design columns of every row.

    Parameters
    ----------
    formula
        From :func:`parse`.
    obs
        Labels of the kept rows. Text and categories are factors, numbers are covariates
        (``C(name)`` makes them factors), roles are factors whatever they hold.
    roles
        Of the same rows.
    depth
        Log row total of the same rows, or None without counts.

    Raises
    ------
    InputError
        A name is unknown, the formula cannot be read, a covariate is not finite, or there
        are more columns than can be summed.
    """
    from formulaic import model_matrix
    from formulaic.errors import FormulaicError

    frame = _frame(obs, roles, depth)
    _require_names(formula, frame.columns)
    blocks, columns, start = [], {}, 0
    try:
        made = model_matrix(formula.fixed, frame, output="sparse", context={}, na_action="raise")
        terms = made.model_spec.term_indices
    except (FormulaicError, ValueError, TypeError, AttributeError, KeyError) as problem:
        detail = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(problem)).splitlines()[:1]
        raise InputError(
            f"--formula {formula.text!r} cannot be read: {(detail or ['no reason given'])[0]}"
        ) from None
    fixed = sp.csr_matrix(made)
    for term, indices in terms.items():
        if str(term) == "1":
            continue
        blocks.append(fixed[:, list(indices)])
        columns[str(term)] = np.arange(start, start + len(indices))
        start += len(indices)
    random = []
    for names in formula.random:
        code = frame.groupby(list(names), observed=True, dropna=False).ngroup().to_numpy()
        levels = int(code.max()) + 1
        name = ":".join(names)
        entries = (np.ones(len(code)), (np.arange(len(code)), code))
        blocks.append(sp.csr_matrix(entries, (len(code), levels)))
        key = name if name not in columns else f"(1|{name})"
        columns[key] = np.arange(start, start + levels)
        random.append(key)
        start += levels
    if start > MAX_COLUMNS:
        widest = max(columns, key=lambda name: len(columns[name]))
        raise InputError(
            f"--formula: it has {start:,} columns, {len(columns[widest]):,} of them for "
            f"{widest!r}; at most {MAX_COLUMNS} can be summed for every gene."
        )
    matrix = sp.hstack(blocks, format="csr")
    if not np.isfinite(matrix.data).all():
        raise InputError("--formula: a covariate holds values that are not finite.")
    return Design(formula.text, matrix, columns, tuple(random))


def _frame(obs: pd.DataFrame, roles: Mapping[str, Role], depth: np.ndarray | None) -> pd.DataFrame:
    """What a formula may name: columns of obs, roles, and depth."""
    import pandas as pd

    frame = {}
    for name in map(str, obs.columns):
        values = obs[name]
        numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        frame[name] = values.astype(float) if numeric else _labels(values.astype("string"))
    if depth is not None:
        frame.setdefault(DEPTH, pd.Series(depth, index=obs.index))
    for name, role in roles.items():
        text = np.array([*role.levels, _UNLABELLED], dtype=object)[role.complete()]
        labels = _labels(pd.Series(text, index=obs.index, dtype="string"))
        frame[role.column] = labels
        if name not in obs.columns:
            frame[name] = labels
    return pd.DataFrame(frame, index=obs.index)


def _labels(values: pd.Series) -> pd.Series:
    return values.fillna(_UNLABELLED).astype("category").cat.remove_unused_categories()


def _require_names(formula: Formula, known: Iterable[str]) -> None:
    from formulaic import Formula as Parsed
    from formulaic.errors import FormulaicError

    known = list(map(str, known))
    try:
        wanted = [str(name) for name in Parsed(formula.fixed).required_variables]
    except FormulaicError:
        wanted = []  # said where it is evaluated
    for name in [*wanted, *(name for names in formula.random for name in names)]:
        if name not in known:
            near = suggest(name, known)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(known[:8])}."
            raise InputError(f"--formula: there is no column {name!r} in obs; {hint}")
