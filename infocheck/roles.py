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
    obs: pd.DataFrame, named: Mapping[str, str | None], control: str | None
) -> tuple[dict[str, Role], list[str]]:
    """Roles by name and by guess, and a note for each guess that was dropped.

    Raises
    ------
    InputError
        A named column does not exist, has one level, or one level per row; a
        named control is no level of the perturbation.
    """
    roles: dict[str, Role] = {}
    for role, column in named.items():
        if column is not None:
            roles[role] = _named(obs, role, column)
    notes: list[str] = []
    taken = {role.column for role in roles.values()}
    for role in ROLES:
        if role not in roles:
            found, dropped = _guessed(obs, role, taken)
            notes += dropped
            if found:
                roles[role] = found
                taken.add(found.column)
    if control is not None and "perturbation" not in roles:
        raise InputError(
            f"--control {control!r} needs a perturbation column; name it with --perturbation."
        )
    if "perturbation" in roles:
        roles["perturbation"] = _with_control(roles["perturbation"], control)
    return {role: roles[role] for role in ROLES if role in roles}, notes


def _named(obs: pd.DataFrame, role: str, column: str) -> Role:
    option = "--" + role.replace("_", "-")
    if column not in obs.columns:
        raise InputError(f"{option}: there is no column {column!r} in obs{_near(obs, column)}")
    found = _role(obs, column, role, guessed=False)
    problem = _unfit(found, len(obs))
    if problem and not _each_row_its_own(found, role, len(obs)):
        raise InputError(f"{option}: column {column!r} {problem}; it cannot serve as {role}.")
    return found


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
        control = next((level for level in role.levels if _CONTROL.fullmatch(level)), None)
    return Role(role.column, role.guessed, role.codes, role.levels, control, role.is_series)
