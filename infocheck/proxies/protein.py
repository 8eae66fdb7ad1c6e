"""Protein of the same observations: does the mRNA of each gene follow it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import thresholds
from infocheck.evidence import antibodies
from infocheck.independence import effective_size
from infocheck.moments import sampled_counts
from infocheck.proxies.table import ESTIMATE, evidence_table, no_evidence
from infocheck.stats import coupling as stats
from infocheck.stats.groups import centred
from infocheck.stats.reliability import thinned_halves
from infocheck.stats.resampling import fisher_interval, median_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

KEY = "protein"
# Deals every count to two halves.
Halve = Callable[[np.random.Generator], Sequence[np.ndarray]]
# Values that are no counts do not tell their noise. Their reliability is taken to be at least
# this (a convention), which decides how far the range reaches away from 0.
UNKNOWN_RELIABILITY = 0.5
# A protein is background where not even this quantile of it is above that of isotype controls.
BACKGROUND_QUANTILE = 0.99
# Values of protein and mRNA that are compared at most, and rows compared across genes.
MOST_VALUES, MOST_ROWS = 6_000_000, 200
# Counts are halved so many times, fewer where there are many values.
HALVINGS, HALVED_VALUES = 8, 2_000_000
# Fewer cell types than this have no correlation between them.
FEWEST_TYPES = 4
BACKGROUND, NOISY, CONSTANT, FEW = "background", "too noisy", "constant", "few observations"
# Of a protein that is the level of its gene; its correlation counts among those of all genes.
SHOWN = ("", FEW)
EACH, ACROSS = "each protein, over observations", "all proteins, in each observation"


def compared(data: Dataset, rng: np.random.Generator) -> pd.DataFrame | None:
    """Every protein whose gene is measured, regulators first; None without protein.

    Over all rows of the sample, ranked, with counting noise taken out where there are counts.
    Where there are none the end of the range away from 0 allows for a reliability of one half.
    """
    pairs = Pairs.of(data)
    if pairs is None:
        return None
    parts = zip((pairs.regulator, pairs.others), rng.spawn(2), strict=True)
    tables = [_compared(data, pairs.part(part), own) for part, own in parts]
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def evidence(table: pd.DataFrame | None) -> pd.DataFrame:
    """The rows of :func:`compared` that say something of a regulator, in the common format.

    Modified forms, isoforms and proteins at background do not count. Where several antibodies
    are against one regulator, the one read best counts.
    """
    if table is None:
        return no_evidence()
    table = table[table["is_regulator"] & (table["flag"] == "")]
    table = table.sort_values("protein_reliability", ascending=False, kind="stable")
    table = table.drop_duplicates("gene").sort_values("gene")
    return evidence_table(
        table["gene"].to_numpy(object),
        KEY,
        ESTIMATE,
        *(table[name].to_numpy(float) for name in _ends("coupling")),
        table["observations"].to_numpy(float),
    )


@dataclass(frozen=True)
class Pairs:
    """mRNA and protein of the sampled rows; a pair is a protein and its gene.

    Attributes
    ----------
    protein
        Names of the proteins as they are written, shape (q,).
    gene
        Names of their genes, shape (q,).
    position
        Panel positions of their genes, shape (q,).
    column
        Columns of all proteins, shape (q,).
    is_regulator
        Is the gene a candidate regulator? Shape (q,).
    values
        Of all proteins, also of those without a gene, shape (n, all).
    controls
        Columns of isotype controls.
    counted
        Are the values counts?
    rows
        Positions of the rows among those kept, shape (n,).
    """

    protein: np.ndarray
    gene: np.ndarray
    position: np.ndarray
    column: np.ndarray
    is_regulator: np.ndarray
    values: np.ndarray
    controls: np.ndarray
    counted: bool
    rows: np.ndarray

    @classmethod
    def of(cls, data: Dataset) -> Pairs | None:
        """From the data; None where no protein has a measured gene."""
        found = data.evidence.proteins
        if found is None or found.values is None or not len(found.values):
            return None
        measured = np.isin(found.gene, data.panel.genes)
        forms = np.array([antibodies.form(str(name)) for name in found.names], dtype=object)
        column = np.flatnonzero(measured & (forms != antibodies.ISOTYPE))
        if not len(column):
            return None
        position = data.panel.positions(found.gene[column])
        return cls(
            protein=found.names[column].astype(object),
            gene=data.genes[found.gene[column]].astype(object),
            position=position,
            column=column,
            is_regulator=np.isin(position, data.panel.expressed),
            values=found.values,
            controls=np.flatnonzero(forms == antibodies.ISOTYPE),
            counted=_are_counts(found.values),
            rows=data.moments.sample.rows,
        )

    @property
    def regulator(self) -> np.ndarray:
        """Pairs of regulators."""
        return np.flatnonzero(self.is_regulator)

    @property
    def others(self) -> np.ndarray:
        """Other pairs, not more than can be compared in a few seconds."""
        most = max(1, MOST_VALUES // max(len(self.rows), 1))
        return np.flatnonzero(~self.is_regulator)[:most]

    def part(self, chosen: np.ndarray) -> Pairs:
        """Some of the pairs."""
        names = ("protein", "gene", "position", "column", "is_regulator")
        return type(self)(**{**vars(self), **{name: getattr(self, name)[chosen] for name in names}})

    @property
    def seen(self) -> np.ndarray:
        """Values of protein that are there, shape (n, q)."""
        return np.isfinite(self.values[:, self.column])

    @property
    def at_background(self) -> np.ndarray:
        """Proteins whose highest values are no higher than those of isotype controls, (q,)."""
        if not len(self.controls):
            return np.zeros(len(self.column), dtype=bool)
        limit = np.nanquantile(self.values[:, self.controls], BACKGROUND_QUANTILE)
        reached = _quantile(self.values[:, self.column], BACKGROUND_QUANTILE)
        return reached <= limit

    def background(self, counts: np.ndarray) -> np.ndarray | None:
        """Mean log of the isotype controls in each row, (n,); None where they do not vary."""
        if not len(self.controls):
            return None
        level = np.log1p(np.nan_to_num(counts)).mean(axis=1)
        return level if np.ptp(level) > 0 else None


def _compared(data: Dataset, pairs: Pairs, rng: np.random.Generator) -> pd.DataFrame:
    """Raw and corrected correlations of these pairs, over all rows and by cell type."""
    seen = pairs.seen
    mrna, mrna_whole = _mrna(data, pairs)
    protein, protein_whole = _protein(pairs)
    whole = tuple(stats.ranks(v, seen) for v in (mrna_whole, protein_whole))
    halvings = int(np.clip(HALVED_VALUES // max(seen.size, 1), 1, HALVINGS))
    first, second = (
        _halved(halve, halvings, scores, seen, own)
        for halve, scores, own in zip((mrna, protein), whole, rng.spawn(2), strict=True)
    )
    group = data.splits.group[pairs.rows]
    size = min(float(len(pairs.rows)), effective_size(data))

    everything = stats.coupled(first, second, whole, seen, group)
    unknown = (mrna is None) + (protein is None)
    low, high = everything.corrected_interval(size)
    ends = stats.of_unknown_noise(low, high, np.sqrt(UNKNOWN_RELIABILITY) ** unknown)
    columns = {
        "protein": pairs.protein,
        "gene": pairs.gene,
        "is_regulator": pairs.is_regulator,
        "flag": _flags(pairs, everything),
        **_shown("", everything, size),
        **_named("coupling", np.clip(everything.corrected, -1, 1), ends),
        "mrna_reliability": _if_known(everything.first, mrna),
        "protein_reliability": _if_known(everything.second, protein),
        "observations": everything.observations,
    }
    types = data.roles.get("cell_type")
    if types is not None:
        columns |= _by_type(types.codes[pairs.rows], first, second, whole, seen, group, size)
    return pd.DataFrame(columns)


def _by_type(
    types: np.ndarray, first: list, second: list, whole: tuple, seen: np.ndarray, group, size
) -> dict[str, np.ndarray]:
    """Pooled within cell types, and between the means of cell types."""
    inside = seen & (types >= 0)[:, None]

    def within(scores: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [centred(values, inside, types) for values in scores]

    levels = int(types.max(initial=-1)) + 1
    halves = ([within(half) for half in halved] for halved in (first, second))
    pooled = stats.coupled(*halves, tuple(within(whole)), inside, group)
    r, number = stats.between_groups(*whole, inside, types)
    r = np.where(number >= FEWEST_TYPES, r, np.nan)
    return {
        **_shown("within_types_", pooled, max(size - levels, 1.0)),
        **_named("between_types", r, fisher_interval(r, number)),
    }


def _shown(prefix: str, found: stats.Coupled, size: float) -> dict[str, np.ndarray]:
    return {
        **_named(f"{prefix}correlation", found.raw, found.raw_interval(size)),
        **_named(
            f"{prefix}corrected",
            np.clip(found.corrected, -1, 1),
            found.corrected_interval(size),
        ),
    }


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _named(name: str, value: np.ndarray, ends: tuple[np.ndarray, np.ndarray]) -> dict:
    unknown = ~np.isfinite(value)
    values = (value, *(np.where(unknown, np.nan, end) for end in ends))
    return dict(zip(_ends(name), values, strict=True))


def _if_known(reliability: np.ndarray, halve: Halve | None) -> np.ndarray:
    return np.full(len(reliability), np.nan) if halve is None else reliability


def _flags(pairs: Pairs, found: stats.Coupled) -> np.ndarray:
    """Why a protein does not count as the level of its gene, empty where it does."""
    form = np.array([antibodies.form(str(name)) for name in pairs.protein], dtype=object)
    conditions = [
        form == antibodies.MODIFIED,
        ~np.isfinite(found.raw),
        pairs.at_background,
        ~np.isfinite(found.corrected),
        found.observations < thresholds.MIN_OBSERVATIONS_SAMPLING,
    ]
    words = [antibodies.MODIFIED, CONSTANT, BACKGROUND, NOISY, FEW]
    return np.select(conditions, words, default="").astype(object)


def _halved(
    halve: Halve | None,
    times: int,
    whole: np.ndarray,
    seen: np.ndarray,
    rng: np.random.Generator,
) -> list[list[np.ndarray]]:
    """Ranks of two halves, as often as asked for; of values that have none the ranks they have."""
    if halve is None:
        return [[whole]] * times
    return [[stats.ranks(half, seen) for half in halve(rng)] for _ in range(times)]


def _mrna(data: Dataset, pairs: Pairs) -> tuple[Halve | None, np.ndarray]:
    """What halves the counts at random, on the scale of the analysis, and the whole values."""
    whole = data.moments.sample.values[:, pairs.position]
    counted = sampled_counts(data, slice(None), pairs.position)
    return None if counted is None else partial(thinned_halves, *counted), whole


def _protein(pairs: Pairs) -> tuple[Halve | None, np.ndarray]:
    """The same of protein, with the isotype controls taken out of the logarithm of counts."""
    values = pairs.values[:, pairs.column]
    if not pairs.counted:
        return None, values
    controls = pairs.values[:, pairs.controls]
    both = np.nan_to_num(np.hstack([values, controls])).astype(np.int64)
    q, size = values.shape[1], np.ones(len(values))

    def halve(rng: np.random.Generator) -> list[np.ndarray]:
        halves = thinned_halves(both, size, rng)
        # Each half by its own controls, so that errors stay independent.
        return [_without(h[:, :q], pairs.background(np.expm1(h[:, q:]))) for h in halves]

    return halve, _without(np.log1p(values), pairs.background(controls))


def _without(values: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
    """Residuals of a regression on one factor of the rows; NaN stays."""
    if factor is None:
        return values
    seen = np.isfinite(values)
    middle = centred(values, seen)
    factor = np.where(seen, (factor - factor.mean())[:, None], 0.0)
    squares = (factor**2).sum(axis=0)
    slope = np.divide(
        (factor * middle).sum(axis=0), squares, out=np.zeros_like(squares), where=squares > 0
    )
    return np.where(seen, middle - factor * slope, np.nan)


def _are_counts(values: np.ndarray) -> bool:
    """Whole numbers from 0 on that go beyond 0 and 1."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() >= 0 and finite.max() > 1 and (finite % 1 == 0).all())


def _quantile(values: np.ndarray, q: float) -> np.ndarray:
    """Of each column, over what is there; minus infinity where nothing is."""
    seen = np.isfinite(values).any(axis=0)
    found = np.full(values.shape[1], -np.inf)
    found[seen] = np.nanquantile(values[:, seen], q, axis=0)
    return found


# How the scale matters -------------------------------------------------------------------


def normalisations(data: Dataset, compared: pd.DataFrame | None) -> pd.DataFrame | None:
    """The distribution of raw correlations under several normalisations; None where there is none.

    Over observations for each protein, and over proteins in each observation.

    Parameters
    ----------
    data
        With moments.
    compared
        What :func:`compared` found; proteins that it flags, but for few observations, do not
        count.
    """
    pairs = Pairs.of(data)
    if pairs is None or compared is None:
        return None
    shown = compared.loc[compared["flag"].isin(SHOWN), "protein"]
    pairs = pairs.part(np.flatnonzero(np.isin(pairs.protein, shown)))
    mrna = data.moments.sample.values[:, pairs.position]
    versions = _of_counts(pairs, mrna) if pairs.counted else _of_values(pairs, mrna)
    spaced = np.unique(np.linspace(0, len(mrna) - 1, MOST_ROWS).astype(int))
    records = []
    for name, (x, y, ranked) in versions.items():
        records.append(_distribution(EACH, name, x, y, ranked=ranked))
        rows = x[spaced].T, y[spaced].T
        records.append(_distribution(ACROSS, name, *rows, ranked=ranked))
    x, y, _ = next(iter(versions.values()))
    scaled = [_scaled(v)[spaced].T for v in (x, y)]
    records.append(_distribution(ACROSS, "each gene scaled to variance 1", *scaled, ranked=False))
    table = pd.DataFrame([record for record in records if record["correlations"]])
    if table.empty:
        return None
    order = {EACH: 0, ACROSS: 1}
    return table.sort_values(
        "comparison", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )


def _of_counts(pairs: Pairs, mrna: np.ndarray) -> dict[str, tuple]:
    everything = np.nan_to_num(pairs.values)
    values = pairs.values[:, pairs.column]
    total = everything.sum(axis=1, keepdims=True)
    share = values * np.median(total) / np.maximum(total, 1.0)
    centre = np.log1p(everything).mean(axis=1, keepdims=True)
    versions = {
        "counts, ranked": (mrna, values, True),
        "log of counts": (mrna, np.log1p(values), False),
        "share of the row's counts, ranked": (mrna, share, True),
        "centred log-ratio of the row, ranked": (mrna, np.log1p(values) - centre, True),
    }
    factor = pairs.background(pairs.values[:, pairs.controls])
    if factor is not None:
        rest = _without(np.log1p(values), factor)
        versions["isotype controls regressed out, ranked"] = (mrna, rest, True)
    return versions


def _of_values(pairs: Pairs, mrna: np.ndarray) -> dict[str, tuple]:
    values = pairs.values[:, pairs.column]
    versions = {"as given": (mrna, values, False), "ranked": (mrna, values, True)}
    if np.nanmin(values, initial=0.0) < 0 or mrna.min(initial=0.0) < 0:
        return versions
    logs = [np.log(np.where(v > 0, v, np.nan)) for v in (mrna, values)]
    versions["logarithm"] = (*logs, False)
    middle = [v - np.nan_to_num(_row_mean(v)) for v in logs]
    versions["centred log-ratio of the row"] = (*middle, False)
    return versions


def _row_mean(values: np.ndarray) -> np.ndarray:
    seen = np.isfinite(values)
    total = np.where(seen, values, 0.0).sum(axis=1, keepdims=True)
    return total / np.maximum(seen.sum(axis=1, keepdims=True), 1)


def _scaled(values: np.ndarray) -> np.ndarray:
    seen = np.isfinite(values)
    middle = centred(values, seen)
    spread = np.sqrt((middle**2).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))
    scaled = np.divide(middle, spread, out=np.zeros_like(middle), where=spread > 0)
    return np.where(seen, scaled, np.nan)


def _distribution(
    comparison: str, name: str, x: np.ndarray, y: np.ndarray, *, ranked: bool
) -> dict[str, object]:
    """Median with its interval, quartiles and share above 0 of the correlations of columns."""
    seen = np.isfinite(x) & np.isfinite(y)
    if ranked:
        x, y = stats.ranks(x, seen), stats.ranks(y, seen)
    r = stats.correlation(x, y, seen)
    r = r[np.isfinite(r) & (seen.sum(axis=0) >= 4)]
    quartiles = np.quantile(r, (0.25, 0.75)) if len(r) else (np.nan, np.nan)
    return {
        "comparison": comparison,
        "normalisation": name,
        "correlations": len(r),
        **dict(zip(_ends("median"), median_interval(r), strict=True)),
        "lower_quartile": quartiles[0],
        "upper_quartile": quartiles[1],
        "share_above_0": float((r > 0).mean()) if len(r) else np.nan,
    }
