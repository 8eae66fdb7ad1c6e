"""What each perturbation is aimed at, and by which guide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from infocheck import roles as role_choice
from infocheck.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.roles import Role

_COLUMNS = re.compile(
    r"(s?g|guide_?)rnas?(_?ids?)?|guides?(_?ids?|_?identity|_?names?)?|guide_?identity|"
    r"sgrna_?names?|feature_?calls?|protospacers?(_?calls?)?",
    re.IGNORECASE,
)
_GUIDE = r"(?:s?g_?rna|guide|protospacer|feature)"
_TOP = re.compile(rf"(?:top_|max_)?{_GUIDE}_?(?:umi|count|read)s?_?max|max_{_GUIDE}_?umis?", re.I)
_ALL = re.compile(
    rf"(?:total_)?{_GUIDE}_?(?:umi|count|read)s?_?(?:total|sum|all)|total_{_GUIDE}_?umis?", re.I
)
_NUMBER = re.compile(
    rf"(?:n|num|number_of|nr)_?{_GUIDE}s?(?:_?detected)?|{_GUIDE}s?_(?:per_cell|number)|num_features",
    re.I,
)
# What stands between the genes of a combination, and what follows the name of a gene.
_BETWEEN = re.compile(r"\s*(?:\+|\||;|,|&|::|\band\b)\s*", re.IGNORECASE)
_AFTER = re.compile(
    r"[\s_\-.]*(?:s?g(?:rna)?\s?\d+|ko|kd|oe|crispr[aiko]*|knock_?(?:out|down)|over_?expression|"
    r"shrna\d*|pDS\w*|[ps]\d+\w*|\d+)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Guides:
    """Perturbations and the genes they are aimed at.

    Attributes
    ----------
    targets
        Level of the perturbation → positions among all genes of the data of what it is aimed
        at; empty where no name of a gene was recognised, and for the control.
    parts
        Level → what it is made of as it is written, without controls: one name for a single
        perturbation, two for a combination, none for the control.
    guide
        The column of guides, or None.
    purity
        Share of each row's guide molecules that the most frequent guide has, shape (n,), NaN
        where none was read; None without columns of the largest number and of all.
    number
        Guides that were found in each row, shape (n,); None without such a column.
    """

    targets: Mapping[str, tuple[int, ...]]
    parts: Mapping[str, tuple[str, ...]]
    guide: Role | None = None
    purity: np.ndarray | None = None
    number: np.ndarray | None = None

    @property
    def genes(self) -> np.ndarray:
        """Positions of all genes that are aimed at."""
        return np.unique([gene for aimed in self.targets.values() for gene in aimed]).astype(
            np.int64
        )

    def keep(self, rows: np.ndarray) -> Guides:
        """The same on a subset of rows."""
        return replace(
            self,
            guide=None if self.guide is None else self.guide.keep(rows),
            purity=None if self.purity is None else self.purity[rows],
            number=None if self.number is None else self.number[rows],
        )


def find(
    obs: pd.DataFrame, genes: np.ndarray, perturbation: Role | None, guide: str | None
) -> tuple[Guides | None, list[str]]:
    """Genes behind the levels of a perturbation; None without one.

    Raises
    ------
    InputError
        A named column of guides does not exist or is unsuitable.
    """
    if perturbation is None:
        if guide is not None:
            raise InputError("--guide needs a perturbation column; name it with --perturbation.")
        return None, []
    column, notes = _column(obs, perturbation.column, guide)
    names = [str(gene) for gene in genes]
    exact = {name: i for i, name in enumerate(names)}
    folded = {name.lower(): i for i, name in reversed(list(enumerate(names)))}
    parts, targets = {}, {}
    for level in perturbation.levels:
        parts[level] = () if level == perturbation.control else _parts(level, exact)
        found = (_gene(part, exact, folded) for part in parts[level])
        targets[level] = tuple(dict.fromkeys(gene for gene in found if gene is not None))
    return Guides(targets, parts, column, _purity(obs), _numbers(obs, _NUMBER)), notes


def _purity(obs: pd.DataFrame) -> np.ndarray | None:
    top, total = _numbers(obs, _TOP), _numbers(obs, _ALL)
    if top is None or total is None or (top > total).any():
        return None
    return np.divide(top, total, out=np.full(len(obs), np.nan), where=total > 0)


def _numbers(obs: pd.DataFrame, pattern: re.Pattern[str]) -> np.ndarray | None:
    """The first column of that name that holds numbers of 0 or more."""
    import pandas as pd

    for column in obs.columns:
        if pattern.fullmatch(str(column)):
            values = pd.to_numeric(obs[column].astype(object), errors="coerce")
            values = values.to_numpy(dtype=float)
            if np.isfinite(values).any() and not (values < 0).any():
                return values
    return None


def _column(obs: pd.DataFrame, taken: str, named: str | None) -> tuple[Role | None, list[str]]:
    if named is not None:
        return role_choice.labels(obs, named, "guide"), []
    for column in obs.columns:
        if column != taken and _COLUMNS.fullmatch(str(column)):
            found = role_choice.labels(obs, str(column), "guide", guessed=True)
            if 1 < found.n_levels < len(obs):
                return found, [f"Column {column!r} was taken as the guide of each cell (guessed)."]
    return None, []


def _parts(level: str, exact: dict[str, int]) -> tuple[str, ...]:
    """Names inside a label; ``A+ctrl`` is one."""
    if level in exact:
        return (level,)
    pieces = [piece for piece in _BETWEEN.split(level) if piece]
    # An underscore joins two genes only where both are known.
    if len(pieces) == 1 and level.count("_") == 1:
        both = level.split("_")
        if all(name in exact or role_choice.is_control(name) for name in both):
            pieces = both
    return tuple(piece for piece in pieces if not role_choice.is_control(piece))


def _gene(name: str, exact: dict[str, int], folded: dict[str, int]) -> int | None:
    """Position of the gene that a name stands for, None where there is none."""
    for text in (name, _AFTER.sub("", name), _AFTER.sub("", _AFTER.sub("", name))):
        if text in exact:
            return exact[text]
    plain = _AFTER.sub("", name).lower()
    return folded.get(name.lower(), folded.get(plain))
