"""What the columns of obs stand for: named by the user, or guessed and shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck.errors import InputError, suggest

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("batch", "donor", "cell_type", "condition", "cell_cycle", "perturbation", "time")

# Column names that are taken for a role, best first; compared in lower case with
# spaces, dots and dashes as underscores.
_NAMES = {
    "batch": (
        "batch(_?id)?|batch_?label",
        "lane|plate|chip|run|flowcell|library(_?id)?|sequencing_run|channel|pool",
        "protocol|technology|tech|platform|chemistry|assay",
    ),
    "donor": (
        "donor(_?id)?|patient(_?id)?|subject(_?id)?|individual(_?id)?|participant(_?id)?",
        "mouse(_?id)?|animal(_?id)?|strain",
        "bio(logical)?_?rep(licate)?s?|replicate(_?id)?|rep",
        "series|time_?series",
        "sample(_?id)?",
    ),
    "cell_type": (
        "cell_?types?|cell_?type_?(label|major|fine|id)|cell_ontology_class",
        "cell_line.*|annotation|bulk_labels|subtype",
        "leiden|louvain|seurat_clusters|clusters?",
    ),
    "condition": (
        "condition|treatment|stim(ulation)?|disease(_?state)?|diagnosis|phenotype",
        "status|genotype|stage|zone|group|mix",
    ),
    "cell_cycle": ("phase|cell_?cycle(_?phase)?|cc_?phase",),
    "perturbation": (
        "perturbations?|perturbed_gene|gene_target|target_gene|knock_?(out|down)|crispr_target",
    ),
    "time": ("time_?point|time|time_?(h|hr|hrs|min|day|label)|sim_time|hours?|days?|minutes?",),
}

_CONTROL = re.compile(
    r"control|ctrl|ctl|non[-_ ]?targeting.*|nt(c)?|wt|wild[-_ ]?type|none|dmso|vehicle|mock|"
    r"unperturbed|untreated|scramble(d)?|safe[-_ ]?targeting|aavs1",
    re.IGNORECASE,
)
_MISSING = frozenset({"", "na", "nan", "none", "unknown", "n/a", "null"})


@dataclass(frozen=True)
class Role:
    """One column of obs and what it stands for.

    Attributes
    ----------
    column
        Its name.
    guessed
        False when the user named it.
    codes
        Level of each row, -1 where the label is missing, shape (n,).
    levels
        Names of the levels.
    control
        Name of the control level, for perturbations.
    is_series
        For time: are consecutive rows consecutive moments of one unit, rather
        than snapshots of different cells?
    """

    column: str
    guessed: bool
    codes: np.ndarray
    levels: tuple[str, ...]
    control: str | None = None
    is_series: bool = False

    @property
    def n_levels(self) -> int:
        return len(self.levels)

    @property
    def perturbed(self) -> int:
        """Levels other than the control."""
        return self.n_levels - (self.control is not None)

    def complete(self) -> np.ndarray:
        """Codes with missing labels as one more level."""
        return np.where(self.codes < 0, self.n_levels, self.codes)

    def with_singletons(self) -> np.ndarray:
        """Codes in which every row without a label is a unit of its own, without gaps."""
        missing = self.codes < 0
        codes = self.codes.copy()
        codes[missing] = self.n_levels + np.arange(missing.sum())
        return np.unique(codes, return_inverse=True)[1]

    def keep(self, rows: np.ndarray) -> Role:
        """The same role on a subset of rows; levels that are gone are dropped."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        labelled = used[used >= 0]
        levels = tuple(self.levels[i] for i in labelled)
        shift = len(used) - len(labelled)
        control = self.control if self.control in levels else None
        return Role(self.column, self.guessed, codes - shift, levels, control, self.is_series)


def assign(
    obs: pd.DataFrame,
    named: Mapping[str, str | None],
    control: str | None,
    *,
    part: str | None = None,
) -> tuple[dict[str, Role], list[str]]:
    """Roles by name and by guess, and a note for each guess that was dropped.

    ``part`` is the column of which these rows are one level. It has no role here, and a
    named column that does not fit these rows, which is no mistake of the user, is dropped
    with a note; nothing is guessed in its place.

    Raises
    ------
    InputError
        A named column does not exist, has one level, or one level per row; a
        named control is no level of the perturbation.
    """
    roles: dict[str, Role] = {}
    notes: list[str] = []
    dropped_roles = set()
    for role, column in named.items():
        if column is None or (part is not None and column == part):
            dropped_roles |= {role} if column else set()
            continue
        found, problem = _named(obs, role, column)
        if problem and part is None:
            option = "--" + role.replace("_", "-")
            raise InputError(f"{option}: column {column!r} {problem}; it cannot serve as {role}.")
        if problem:
            notes.append(f"Column {column!r} {problem} among these rows; it is no {role} here.")
            dropped_roles.add(role)
        else:
            roles[role] = found
    taken = {role.column for role in roles.values()} | ({part} if part is not None else set())
    for role in ROLES:
        if role not in roles and role not in dropped_roles:
            found, dropped = _guessed(obs, role, taken)
            notes += dropped
            if found:
                roles[role] = found
                taken.add(found.column)
    if part is not None and control is not None:
        present = roles["perturbation"].levels if "perturbation" in roles else ()
        if control not in present:
            notes.append(f"No row here is the control {control!r}.")
            return {role: roles[role] for role in ROLES if role in roles}, notes
    if control is not None and "perturbation" not in roles:
        raise InputError(
            f"--control {control!r} needs a perturbation column; name it with --perturbation."
        )
    if "perturbation" in roles:
        roles["perturbation"] = _with_control(roles["perturbation"], control)
    return {role: roles[role] for role in ROLES if role in roles}, notes


def grouping(obs: pd.DataFrame, column: str, fewest: int) -> Role:
    """The levels of a column by which rows are told apart, the largest first.

    Parameters
    ----------
    obs
        Labels of all rows.
    column
        Name of the column.
    fewest
        Rows that at least one level must have.

    Raises
    ------
    InputError
        There is no such column, or its levels are no groups of rows.
    """
    if column not in obs.columns:
        raise InputError(f"--by: there is no column {column!r} in obs{_near(obs, column)}")
    found = _role(obs, column, "group", guessed=False)
    sizes = np.bincount(found.codes[found.codes >= 0], minlength=found.n_levels)
    problem = _unfit(found, len(obs))
    if problem is None and sizes.max() < fewest:
        problem = f"has {found.n_levels} levels, none of which has {fewest} rows"
    if problem:
        raise InputError(
            f"--by: column {column!r} {problem}; give a column that tells groups of rows apart, "
            f"such as cell types{_others(obs, column, fewest)}."
        )
    # Levels are in the order of their names, which a stable sort keeps among equal sizes.
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(found.n_levels + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(found.n_levels), -1
    levels = tuple(found.levels[i] for i in order)
    return Role(column, found.guessed, place[found.codes], levels)


def _others(obs: pd.DataFrame, column: str, fewest: int) -> str:
    """Columns that would do, to end a refusal with; those of cell types first."""
    fit = [
        str(other)
        for other in obs.columns
        if other != column and 1 < obs[other].nunique() <= len(obs) / fewest
    ]
    fit.sort(key=lambda other: role_of(other) != "cell_type")
    return f" ({', '.join(map(repr, fit[:3]))})" if fit else ""


def labels(obs: pd.DataFrame, column: str, role: str, *, guessed: bool = False) -> Role:
    """A column of labels that is no role of the chain, such as guides.

    Raises
    ------
    InputError
        There is no such column, or it has one level or one per row.
    """
    if guessed:
        return _role(obs, column, role, guessed=True)
    found, problem = _named(obs, role, column)
    if problem:
        raise InputError(f"--{role}: column {column!r} {problem}; it cannot serve as {role}.")
    return found


def is_control(label: str) -> bool:
    """Does a label mean that nothing was perturbed?"""
    return _CONTROL.fullmatch(label) is not None


def role_of(column: str) -> str | None:
    """The role that a column of this name would be taken for; None for none."""
    text = re.sub(r"[\s.\-]+", "_", str(column)).lower()
    patterns = ((role, names) for role in ROLES for names in _NAMES[role])
    return next((role for role, names in patterns if re.fullmatch(names, text)), None)


def _named(obs: pd.DataFrame, role: str, column: str) -> tuple[Role, str | None]:
    """A named column as a role, and what keeps it from being one."""
    option = "--" + role.replace("_", "-")
    if column not in obs.columns:
        raise InputError(f"{option}: there is no column {column!r} in obs{_near(obs, column)}")
    found = _role(obs, column, role, guessed=False)
    problem = _unfit(found, len(obs))
    return found, None if _each_row_its_own(found, role, len(obs)) else problem


def _near(obs: pd.DataFrame, column: str) -> str:
    best = suggest(column, list(map(str, obs.columns)))
    if best:
        return f"; did you mean {best!r}, {obs[best].nunique()} levels?"
    if len(obs.columns):
        return f"; there are {', '.join(map(repr, list(map(str, obs.columns))[:8]))}."
    return "; obs has no columns."


def _guessed(obs: pd.DataFrame, role: str, taken: set[str]) -> tuple[Role | None, list[str]]:
    plain = {column: re.sub(r"[\s.\-]+", "_", str(column)).lower() for column in obs.columns}
    notes = []
    for names in _NAMES[role]:
        for column, text in plain.items():
            if column in taken or not re.fullmatch(names, text):
                continue
            found = _role(obs, column, role, guessed=True)
            problem = _unfit(found, len(obs))
            own = _each_row_its_own(found, role, len(obs))
            if own and (role == "perturbation" or found.is_series):
                problem = None
            elif problem is None and role != "time" and found.n_levels > len(obs) / 2:
                problem = f"has {found.n_levels} levels for {len(obs)} rows"
            if problem is None:
                return found, notes
            notes.append(f"Column {column!r} {problem}, so it was not taken as {role}.")
    return None, notes


def _each_row_its_own(found: Role, role: str, n: int) -> bool:
    """A level per row is a panel of single perturbations, or time in fine steps."""
    return role in ("perturbation", "time") and found.n_levels >= n


def _unfit(role: Role, n: int) -> str | None:
    if role.n_levels == 0:
        return "is empty"
    if role.n_levels == 1 and (role.codes >= 0).all():
        return f"has one level only ({role.levels[0]})"
    if role.n_levels == 1:
        return "has one level only beside missing labels"
    if role.n_levels >= n:
        return "has one level per row"
    return None


def _role(obs: pd.DataFrame, column: str, role: str, *, guessed: bool) -> Role:
    import pandas as pd

    values = obs[column]
    text = values.astype("string")
    missing = values.isna() | text.str.strip().str.lower().isin(_MISSING).fillna(True)
    if role == "perturbation":  # "none" is a control there, not a missing label
        missing = values.isna() | (text.str.strip() == "")
    series = False
    if role == "time":
        number = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(dtype=float)
        series = _is_series(number)
    # Numbers are sorted as numbers, so that levels read 0, 2, 10.
    kept = values[~missing]
    try:
        order = sorted(kept.unique())
    except TypeError:
        order = sorted(kept.unique(), key=str)
    # 1 and "1" are one level.
    positions = {level: i for i, level in enumerate(dict.fromkeys(map(str, order)))}
    codes = text.map(positions).fillna(-1).to_numpy(dtype=float).astype(np.int64)
    codes[missing.to_numpy(dtype=bool)] = -1
    return Role(column, guessed, codes, tuple(positions), is_series=series)


def _is_series(time: np.ndarray) -> bool:
    """Do most rows follow the row before by a step in time, as in a trajectory?"""
    if len(time) < 3 or not np.isfinite(time).any():
        return False
    steps = np.diff(time)
    return bool((steps > 0).mean() > 0.75)  # rows in random order give about one half


def _with_control(role: Role, control: str | None) -> Role:
    if control is not None and control not in role.levels:
        near = suggest(control, role.levels)
        hint = f"; did you mean {near!r}?" if near else "."
        raise InputError(
            f"--control: {control!r} is no level of {role.column!r} ({role.n_levels} levels){hint}"
        )
    if control is None:
        control = next(filter(is_control, role.levels), None)
    return Role(role.column, role.guessed, role.codes, role.levels, control, role.is_series)
