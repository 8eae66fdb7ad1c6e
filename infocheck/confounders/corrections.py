"""What is left after each correction that people use, and what it costs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.confounders.factors import DEPTH, NUISANCE
from infocheck.confounders.words import listed, words
from infocheck.moments import sampled_counts
from infocheck.plotting import Chart
from infocheck.splits import FOLDS, SPLITS
from infocheck.stats.agreement import rank_agreement, resampled_targets
from infocheck.stats.components import residual
from infocheck.stats.decoy_gain import mean_gain, predicted, z_over_targets
from infocheck.stats.heritability import heritability
from infocheck.stats.partial import shrinkage_weight
from infocheck.stats.principal_regression import Leading
from infocheck.stats.reliability import halves_reliability, thinned_halves
from infocheck.stats.resampling import jackknife_error, median_interval, some, t_interval
from infocheck.stats.stability import Edges, Split
from infocheck.stats.sums import CrossSums
from infocheck.stats.upper_bound import one_more, simulated
from infocheck.stats.variance import Normal

if TYPE_CHECKING:
    from infocheck.confounders.factors import Factors
    from infocheck.dataset import Dataset

# Numbers of principal components that are removed.
REMOVED = (1, 5, 10, 20)
# Rows, regulators and targets at most.
ROWS, REGULATORS, TARGETS = 1500, 100, 80
# A cell type on its own needs so many rows.
TYPE_ROWS = 100
# Below so many rows less columns removed, nothing is estimated.
LEAST = thresholds.MIN_OBSERVATIONS_SAMPLING
JACKKNIFE_GROUPS = 10
# Simulated networks, and targets in each, of the upper bound.
REPLICATES, SIMULATED_TARGETS = 5, 40
# Less of the variance than this is rounding.
_NOTHING = 1e-9
_AGREEMENTS = ("stab_pc", "stab_c")

NONE, KNOWN, WITHIN, SUBSET, COMPONENTS = "none", "known", "within", "subset", "components"
_WITH_INTERVAL = (
    "nuisance_left",
    "reliability",
    *_AGREEMENTS,
    "specific_r2",
    "specific_z",
    "bound",
)


def of(data: Dataset, factors: Factors | None, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """The same quantities on corrected values, on a sample of the rows.

    Parameters
    ----------
    data
        With moments.
    factors
        Recorded factors, or None.
    rng
        Draws rows, genes, the thinning and simulated targets; the same for every correction,
        so that differences between corrections are paired.

    Returns
    -------
    dict
        ``corrections``, one row for each: ``correction`` in words, ``kind``, ``rows``,
        ``columns_removed``, ``variance_kept`` (mean share over the panel), and, each with
        ``_low`` and ``_high``: ``nuisance_left`` (median adjusted R² of recorded batch and
        donor, named in ``nuisance``, at least 0), ``reliability`` of logarithmic values (median
        over regulators, by thinning counts; lower than that of counts, which the logarithm
        weighs otherwise), ``stab_pc`` and ``stab_c`` (agreement of halves by partial and plain
        correlations), ``specific_r2`` and ``specific_z``
        (gain of regulators over matched decoys), ``bound`` (normalised AUPR). A ``note``
        says where nothing is left. Empty with fewer than ten rows.

    Notes
    -----
    Components, and means of levels, come from all rows that a quantity rests on: from each
    half alone for the two agreements and the reliability, but from test rows as well for the
    specific signal. Components are those of the whole panel, targets included: where few genes
    carry one, taking it out makes its genes correlate, which can raise the bound. Intervals
    take the corrected values as given; they are wider than those of a difference between
    corrections, which share rows, genes and draws. That of the reliability is over regulators
    alone. All R² are shares of the variance that is left. What components hold may be the
    network itself, and published evidence on removing them conflicts: no verdict comes from
    this table.

    The bound stands on the sampled rows and regulators, so it is compared down its column and
    not with that of all rows.
    """
    if data.n < LEAST:
        return {}
    row_rng, gene_rng, thin_rng, seed_rng = rng.spawn(4)
    sample = data.moments.sample
    chosen = some(len(sample.rows), ROWS, row_rng)
    genes = _Genes.of(data, gene_rng)
    seed = int(seed_rng.integers(2**31))
    whole = _Part.of(data, factors, chosen, thin_rng, seed)
    tasks = [(one, whole) for one in _corrections(data, factors)]
    inside = _largest_type(data, row_rng)
    if inside is not None:
        name, members = inside
        part = _Part.of(data, factors, members, thin_rng, seed)
        subset = _Correction(f"Only {_short(name)}", SUBSET)
        tasks.insert(len(tasks) - len(REMOVED), (subset, part))
    _ = [part.prepared(correction) for correction, part in tasks]  # before threads share them
    spread = whole.view.values.var(axis=0)
    records = data.engine.map(
        lambda task: _record(data, factors, *task, genes, spread, seed), tasks
    )
    table = pd.DataFrame(records, columns=_COLUMNS)
    recorded = [] if factors is None else [name for name in NUISANCE if name in factors.columns]
    return {"corrections": table.assign(nuisance=listed(map(words, recorded)) if recorded else "")}


_COLUMNS = (
    "correction",
    "kind",
    "rows",
    "columns_removed",
    "variance_kept",
    *(f"{name}{end}" for name in _WITH_INTERVAL for end in ("", "_low", "_high")),
    "nuisance",
    "note",
)


@dataclass(frozen=True)
class _Correction:
    """What is removed: levels of factors, or so many components, or nothing."""

    name: str
    kind: str
    factors: tuple[str, ...] = ()
    components: int = 0


def agreement_left(data: Dataset, factors: Factors, rng: np.random.Generator) -> pd.DataFrame:
    """Agreement of halves once all recorded factors are regressed out of each, one row.

    ``stab_pc`` and ``stab_c`` with intervals, as in the table of all corrections; NaN where
    too few rows are left.
    """
    row_rng, gene_rng, thin_rng, seed_rng = rng.spawn(4)
    chosen = some(len(data.moments.sample.rows), ROWS, row_rng)
    seed = int(seed_rng.integers(2**31))
    part = _Part.of(data, factors, chosen, thin_rng, seed)
    correction = _Correction("", KNOWN, tuple(factors.columns))
    genes = _Genes.of(data, gene_rng)
    found = _stability(correction, part, genes, np.random.default_rng(seed))
    ends = ("", "_low", "_high")
    return pd.DataFrame(
        [{f"{name}{end}": v for name in found for end, v in zip(ends, found[name], strict=True)}]
    )


def _corrections(data: Dataset, factors: Factors | None) -> list[_Correction]:
    """Those that the recorded factors allow, in the order in which they are shown."""
    found = [_Correction("None", NONE)]
    recorded = () if factors is None else tuple(factors.columns)
    nuisance = tuple(name for name in NUISANCE if name in recorded)
    known = (*nuisance, *(name for name in (DEPTH,) if name in recorded))
    if nuisance and known != ("donor",):
        found.append(_Correction(f"Regress {listed(map(words, known))}", KNOWN, known))
    if "donor" in nuisance:
        found.append(_Correction("Centre within donors", WITHIN, ("donor",)))
    if "cell_type" in recorded:
        found.append(_Correction("Centre within cell types", WITHIN, ("cell_type",)))
    if set(recorded) > set(known):
        found.append(_Correction("Regress all recorded factors", KNOWN, recorded))
    for k in REMOVED:
        name = f"Remove {k} component{'s' * (k > 1)}"
        found.append(_Correction(name, COMPONENTS, components=k))
    return found


def _largest_type(data: Dataset, rng: np.random.Generator) -> tuple[str, np.ndarray] | None:
    """Name of the largest cell type and its positions in the row sample, if there are enough."""
    role = data.roles.get("cell_type")
    if role is None:
        return None
    codes = role.codes[data.moments.sample.rows]
    largest = np.bincount(codes[codes >= 0], minlength=role.n_levels).argmax()
    members = np.flatnonzero(codes == largest)
    if len(members) < TYPE_ROWS or len(members) == len(codes):
        return None
    return role.levels[largest], members[some(len(members), ROWS, rng)]


def _short(level: str) -> str:
    """Name of a cell type as it fits a chart; bare numbers say what they are."""
    level = f"cell type {level}" if len(level) < 3 or level.isdigit() else level
    return level if len(level) <= 24 else f"{level[:23]}…"


@dataclass(frozen=True)
class _Genes:
    """Panel positions that the quantities are read from.

    ``regulators`` (p,) and ``targets`` (m,), ``own`` the position of each target among the
    regulators or -1, ``candidates`` what targets were drawn from; ``matched`` regulators,
    their decoys ``draws`` (d, k) and the targets ``judged`` by both.
    """

    regulators: np.ndarray
    targets: np.ndarray
    own: np.ndarray
    candidates: int
    matched: np.ndarray
    draws: np.ndarray
    judged: np.ndarray

    @classmethod
    def of(cls, data: Dataset, rng: np.random.Generator) -> _Genes:
        panel, decoys = data.panel, data.decoys
        regulators = some(panel.p, REGULATORS, rng)
        targets = panel.sampled[some(len(panel.sampled), TARGETS, rng)]
        place = np.full(len(panel.genes), -1)
        place[regulators] = np.arange(len(regulators))
        matched = some(decoys.draws.shape[1], REGULATORS, rng)
        judged = decoys.targets[some(len(decoys.targets), TARGETS, rng)]
        return cls(
            regulators=regulators,
            targets=targets,
            own=place[targets],
            candidates=panel.candidates,
            matched=decoys.regulators[matched],
            draws=decoys.draws[:, matched],
            judged=judged,
        )

    @property
    def network(self) -> np.ndarray:
        """Regulators, then targets that are none of them."""
        return np.concatenate([self.regulators, self.targets[self.own < 0]])

    def edges(self) -> Edges:
        """Where regulators and targets are among the columns of ``network``."""
        p, outside = len(self.regulators), np.cumsum(self.own < 0) - 1
        columns = np.where(self.own >= 0, self.own, p + outside)
        return Edges(p, columns, self.own, self.candidates)


@dataclass(frozen=True)
class _View:
    """Some rows of the panel that are corrected on their own."""

    factors: Factors | None
    rows: np.ndarray
    values: np.ndarray
    seed: int

    @cached_property
    def leading(self) -> Leading:
        return Leading.of(self.values, max(REMOVED), self.seed)

    def basis(self, correction: _Correction) -> np.ndarray:
        """Orthonormal centred columns that a correction removes, shape (n, c)."""
        if correction.components:
            return self.leading.scores[:, : correction.components]
        if correction.factors and self.factors is not None:
            return self.factors.basis(self.rows, *correction.factors)
        return np.empty((len(self.rows), 0))

    def take(self, members: np.ndarray) -> _View:
        return replace(self, rows=self.rows[members], values=self.values[members])


@dataclass(frozen=True)
class _Part:
    """Rows that a correction is tried on: all of a sample, or one cell type."""

    view: _View
    fold: np.ndarray
    group: np.ndarray
    half: np.ndarray
    counts: tuple[np.ndarray, np.ndarray] | None
    rng: np.random.Generator

    @classmethod
    def of(
        cls,
        data: Dataset,
        factors: Factors | None,
        chosen: np.ndarray,
        rng: np.random.Generator,
        seed: int,
    ) -> _Part:
        sample, splits = data.moments.sample, data.splits
        rows, values = sample.rows[chosen], sample.values[chosen]
        counts = sampled_counts(data, chosen)
        group = np.unique(splits.group[rows] % JACKKNIFE_GROUPS, return_inverse=True)[1]
        view = _View(factors, rows, values, seed)
        return cls(view, splits.fold[rows], group, splits.half[:, rows], counts, rng.spawn(1)[0])

    @cached_property
    def halves(self) -> list[tuple[np.ndarray, _View]]:
        """Members and view of both halves of every split, one after the other."""
        found = []
        for side in self.half[:SPLITS]:
            for members in (np.flatnonzero(~side), np.flatnonzero(side)):
                found.append((members, self.view.take(members)))
        return found

    @cached_property
    def thinned(self) -> tuple[_View, _View] | None:
        """The same rows from two halves of their molecules; None without counts."""
        if self.counts is None:
            return None
        first, second = thinned_halves(*self.counts, self.rng)
        return replace(self.view, values=first), replace(self.view, values=second)

    def prepared(self, correction: _Correction) -> None:
        """Compute what a correction shares with others."""
        views = [self.view, *(view for _, view in self.halves), *(self.thinned or ())]
        if correction.components:
            _ = [view.leading for view in views]


def _record(
    data: Dataset,
    factors: Factors | None,
    correction: _Correction,
    part: _Part,
    genes: _Genes,
    spread: np.ndarray,
    seed: int,
) -> dict[str, object]:
    """One row of the table; NaN where too little is left to estimate anything."""
    view, n = part.view, len(part.view.rows)
    basis = view.basis(correction)
    kept = _kept(view, basis, spread)
    record: dict[str, object] = {
        "correction": correction.name,
        "kind": correction.kind,
        "rows": n,
        "columns_removed": basis.shape[1],
        "variance_kept": kept,
        "note": "",
        **{f"{name}{end}": math.nan for name in _WITH_INTERVAL for end in ("", "_low", "_high")},
    }
    if n - 1 - basis.shape[1] < LEAST or not kept > _NOTHING:
        return record | {"note": "Nothing is left to look at."}
    network = residual(view.values[:, genes.network], basis)
    estimates = {
        "nuisance_left": _nuisance(factors, part, network),
        "reliability": _reliability(correction, part, genes),
        **_stability(correction, part, genes, np.random.default_rng(seed)),
        **_specific(basis, part, genes),
        "bound": _bound(network, basis.shape[1], genes, np.random.default_rng(seed)),
    }
    for name, (estimate, low, high) in estimates.items():
        record |= {name: estimate, f"{name}_low": low, f"{name}_high": high}
    return record


_UNKNOWN = (math.nan, math.nan, math.nan)


def _kept(view: _View, basis: np.ndarray, spread: np.ndarray) -> float:
    """Mean share of a gene's variance over all sampled rows that is left."""
    varies = spread > 1e-12
    if not varies.any():
        return math.nan
    left = view.values.var(axis=0) - ((basis.T @ view.values) ** 2).sum(axis=0) / len(view.rows)
    return float(np.maximum(left[varies] / spread[varies], 0.0).mean())


def _nuisance(factors: Factors | None, part: _Part, left: np.ndarray) -> tuple[float, float, float]:
    """Median adjusted R² of recorded batch and donor, jackknifed over groups of rows."""
    columns = np.empty(0, np.int64) if factors is None else factors.of_names(*NUISANCE)
    groups = int(part.group.max()) + 1
    if factors is None or not len(columns) or groups < 2:
        return _UNKNOWN
    design = factors.design[part.view.rows][:, columns]
    sums = [_sums(design[part.group == g].toarray(), left[part.group == g]) for g in range(groups)]
    total = [sum(parts) for parts in zip(*sums, strict=True)]

    def median(parts: Sequence) -> float:
        n, x, xx, y, xy, yy = parts
        squares = np.maximum(yy - y**2 / n, 0.0)
        squares = np.where(squares > 1e-12 * yy, squares, 0.0)
        normal = Normal(n, xx - np.outer(x, x) / n, xy - np.outer(x, y) / n, squares)
        values = normal.adjusted(np.arange(len(columns)))
        finite = values[np.isfinite(values)]
        return float(np.median(finite)) if len(finite) else math.nan

    estimate = median(total)
    without = [median([t - s for t, s in zip(total, one, strict=True)]) for one in sums]
    error = float(jackknife_error(np.array(without)))
    low, high = t_interval(estimate, error, groups, (0.0, 1.0))
    return max(estimate, 0.0), low, max(high, 0.0)


def _sums(x: np.ndarray, y: np.ndarray) -> tuple:
    return (
        float(len(x)),
        x.sum(axis=0),
        x.T @ x,
        y.sum(axis=0),
        x.T @ y,
        np.einsum("ij,ij->j", y, y),
    )


def _reliability(correction: _Correction, part: _Part, genes: _Genes) -> tuple[float, float, float]:
    """Median over regulators, halves of the molecules corrected each on its own."""
    if part.thinned is None:
        return _UNKNOWN
    halves = [
        residual(view.values[:, genes.regulators], view.basis(correction)) for view in part.thinned
    ]
    return median_interval(halves_reliability(*halves))


def _stability(
    correction: _Correction, part: _Part, genes: _Genes, rng: np.random.Generator
) -> dict[str, tuple[float, float, float]]:
    """Agreement of edges between halves of the rows, each corrected on its own."""
    edges, columns = genes.edges(), genes.network
    left, sums = [], []
    for members, view in part.halves:
        basis = view.basis(correction) if len(members) > LEAST else np.empty((len(members), 0))
        if len(members) - 1 - basis.shape[1] < LEAST:
            return dict.fromkeys(_AGREEMENTS, _UNKNOWN)
        left.append(residual(view.values[:, columns], basis))
        sums.append(CrossSums.of(left[-1], edges.p, fourth=True))
    splits = [Split.of((a, b), edges) for a, b in zip(sums[::2], sums[1::2], strict=True)]
    groups = int(part.group.max()) + 1
    without = np.zeros((groups, len(splits), len(_AGREEMENTS)))
    for s, split in enumerate(splits):
        for g in range(groups):
            scored = []
            for side in (0, 1):
                i = 2 * s + side
                out = left[i][part.group[part.halves[i][0]] == g]
                rest = sums[i] - CrossSums.of(out, edges.p)
                scored.append(edges.scores(rest, split.shrinkage[side]))
            pair = Split((scored[0], scored[1]), split.shrinkage, split.rows)
            without[g, s] = [rank_agreement(*pair.pair(a), coarse=True) for a in _AGREEMENTS]
    found = {}
    for i, name in enumerate(_AGREEMENTS):
        estimate = float(np.mean([split.agreement(name) for split in splits]))
        by_rows = float(jackknife_error(without[:, :, i].mean(axis=1)))
        by_targets = resampled_targets(
            [split.pair(name) for split in splits], genes.candidates, rng
        )
        error = math.hypot(by_rows, by_targets)
        found[name] = (estimate, *t_interval(estimate, error, groups, (-1.0, 1.0)))
    return found


def _specific(
    basis: np.ndarray, part: _Part, genes: _Genes
) -> dict[str, tuple[float, float, float]]:
    """Gain in R² of regulators over matched decoys, in the same folds."""
    unknown = {"specific_r2": _UNKNOWN, "specific_z": _UNKNOWN}
    if not genes.draws.size or len(np.unique(part.fold)) < FOLDS:
        return unknown
    m = len(genes.judged)

    def r2(predictors: np.ndarray) -> np.ndarray:
        columns = np.concatenate([predictors, genes.judged])
        left, p = residual(part.view.values[:, columns], basis), len(predictors)
        places = np.arange(p), np.arange(p, p + m)
        return predicted(left, part.fold, FOLDS, *places, _in_order)

    own = r2(genes.matched)
    gains = np.column_stack([own - r2(draw) for draw in genes.draws])
    gains = gains[np.isfinite(gains).all(axis=1)]
    if len(gains) < 2:
        return unknown
    return {"specific_r2": mean_gain(gains), "specific_z": z_over_targets(gains)}


def _bound(
    left: np.ndarray, removed: int, genes: _Genes, rng: np.random.Generator
) -> tuple[float, float, float]:
    """What the best method reaches on simulated targets, with as many rows as are left."""
    edges = genes.edges()
    sums = CrossSums.of(left, edges.p, fourth=True)
    correlation, n = sums.correlation(), sums.n - removed
    gram = correlation[:, : edges.p]
    varies = np.diag(gram) > 0
    if varies.sum() < thresholds.MIN_REGULATORS:
        return _UNKNOWN
    gram, cross = gram[np.ix_(varies, varies)], correlation[varies][:, edges.targets]
    place = np.where(varies, np.cumsum(varies) - 1, -1)
    own = np.where(genes.own >= 0, place[genes.own], -1)
    found = simulated(
        gram,
        heritability(gram, cross, n, own),
        n,
        shrinkage_weight(sums),
        replicates=REPLICATES,
        targets=SIMULATED_TARGETS,
        rng=rng,
        mapped=_in_order,
    )
    values = {method: np.array([one[method][0] for one in found]) for method in found[0]}
    best = max(values.values(), key=lambda reached: float(reached.mean()))
    return one_more(best, thresholds.BOUND_MARGIN)


def _in_order(function, tasks) -> list:
    return [function(task) for task in tasks]


def finding(table: pd.DataFrame) -> str:
    """One sentence: what correcting known factors and removing components bring and cost.

    In what regulators predict beyond decoys, where that is told from 0 before or after a
    correction; else in the agreement of halves.
    """
    table = table.astype(dict.fromkeys((*_WITH_INTERVAL, "variance_kept"), float))
    before = table.iloc[0]
    known = table[table["kind"].isin([KNOWN, WITHIN])].head(1)
    removed = table[(table["kind"] == COMPONENTS) & table["stab_pc"].notna()].tail(1)
    tried = pd.concat([known, removed])
    shown = pd.concat([table.head(1), tried])
    told = bool((shown["specific_r2_low"] > 0).any() and shown["specific_r2"].notna().all())
    quantity, said, form = (
        ("specific_r2", "what regulators predict beyond decoys from R² ", "z.3f")
        if told
        else ("stab_pc", "the agreement of halves on edges from ", "z.2f")
    )
    if not len(tried) or not np.isfinite(before[quantity]):
        return "Too few rows are left to say what corrections bring and cost."
    parts = []
    for _, row in tried.iterrows():
        first = not parts
        moved = f"{said}{format(before[quantity], form)}" if first else "it"
        if not np.isfinite(row[quantity]):
            parts.append(f"{_doing(row['correction'])} leaves too few rows")
            continue
        share = f"{row['variance_kept']:.0%}" + (" of the variance" if first else "")
        explained = ""
        if row["kind"] != COMPONENTS and before["nuisance_left"] >= _WORTH_SAYING:
            explained = (
                f"takes {row['nuisance']} from {before['nuisance_left']:.0%} to "
                f"{row['nuisance_left']:.0%} of the median gene, "
            )
        parts.append(
            f"{_doing(row['correction'])} {explained}keeps {share} and moves {moved} to "
            f"{format(row[quantity], form)}"
        )
    unclear = not told and np.isfinite(before["specific_r2"])
    end = "; regulators are not told from matched decoys" if unclear else ""
    sentence = "; ".join(parts) + end + "."
    return sentence[:1].upper() + sentence[1:]


# What batch and donor explain of the median gene is named from here on.
_WORTH_SAYING = 0.005
_DOING = {"Regress": "regressing", "Centre": "centring", "Remove": "removing"}


def _doing(correction: str) -> str:
    first, _, rest = correction.partition(" ")
    return f"{_DOING.get(first, first)} {rest}"


# Panels of the chart: column of the table, title, and its format.
_PANELS = (
    ("variance_kept", "Variance kept", True),
    ("nuisance_left", "Nuisance left", True),
    ("reliability", "Reliability", False),
    ("stab_pc", "Agreement of halves", False),
    ("specific_r2", "R² beyond decoys", False),
    ("bound", "Upper bound", False),
)


def charts(tables: Mapping[str, pd.DataFrame]) -> dict[str, Chart]:
    """One panel for each quantity, one line for each correction."""
    table = tables.get("corrections")
    if table is None or not len(table):
        return {}
    numbers = [
        name for name in table.columns if name not in ("correction", "kind", "nuisance", "note")
    ]
    table = table.astype(dict.fromkeys(numbers, float))
    named = str(table["nuisance"].iloc[0]).capitalize()
    panels = [
        (column, title.replace("Nuisance", named), percent)
        for column, title, percent in _PANELS
        if table[column].notna().any()
    ]
    names, count = list(table["correction"][::-1]), len(panels)
    across = min(3, count)
    rows_of_panels = -(-count // across)
    tall = 0.9 + 0.3 * len(names)

    def draw(axes, width: float) -> None:
        axes.set_axis_off()
        narrow = width <= plotting.NARROW
        columns = min(2, count) if narrow else across
        lines = -(-count // columns)
        height = lines * tall
        axes.figure.set_size_inches(width, height)
        margin = 1.45 / width if narrow else 2.1 / width
        each = (1 - margin) / columns
        for i, panel in enumerate(panels):
            line, column = divmod(i, columns)
            bottom = 1 - (line + 1) / lines + 0.38 / height
            gap = 0.07 if narrow else 0.035
            box = (margin + column * each + 0.012, bottom, each - gap, 1 / lines - 0.75 / height)
            inside = axes.inset_axes(box)
            _panel(inside, table[::-1], panel, narrow=narrow)
            labels = [textwrap.fill(name, 17) if narrow else name for name in names]
            size = 8.5 if narrow else 11
            inside.set_yticks(range(len(names)), labels if column == 0 else [], fontsize=size)

    return {
        "corrections": Chart(
            title=finding(table),
            caption="What is left of each quantity after each correction, with 95% intervals; "
            "dotted: without correction. Agreement of halves: blue partial, orange plain "
            "correlations. Halves of the rows and of the molecules are corrected each on its "
            "own. Reliability is that of logarithmic values, and approximate. What components hold "
            "may be the network itself, so nothing is judged by this.",
            draw=draw,
            height=rows_of_panels * tall,
        )
    }


def _panel(axes, table: pd.DataFrame, panel: tuple[str, str, bool], *, narrow: bool) -> None:
    name, title, percent = panel
    drawn = (name, "stab_c") if name == "stab_pc" else (name,)
    for i, column in enumerate(drawn):
        shift = 0.0 if len(drawn) == 1 else 0.17 - 0.34 * i
        for y, (_, row) in enumerate(table.iterrows()):
            value = row[column]
            if not np.isfinite(value):
                continue
            low, high = row.get(f"{column}_low", value), row.get(f"{column}_high", value)
            _mark(axes, y + shift, value, low, high, ("c1", "c2")[i])
    before = table[name].iloc[-1]
    if np.isfinite(before):
        axes.axvline(before, color=plotting.MUTED, linewidth=1.2, linestyle=(0, (1, 2)), zorder=0)
    axes.set_ylim(-0.6, len(table) - 0.4)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.0), max(high, 0.05 if percent else 0.01))
    axes.locator_params(axis="x", nbins=2 if narrow else 4)
    axes.tick_params(axis="x", labelsize=9 if narrow else 10)
    axes.tick_params(axis="y", length=0)
    if percent:
        axes.xaxis.set_major_formatter(plotting.percent())
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(title, fontsize=10 if narrow else 11.5, color=plotting.INK, loc="left")


def _mark(axes, y: float, value: float, low: float, high: float, colour: str) -> None:
    ink = plotting.PALETTE[colour][0]
    if np.isfinite([low, high]).all() and high > low:
        axes.plot([low, high], [y, y], color=ink, linewidth=3, alpha=0.4)
    axes.plot([value], [y], marker="o", markersize=5.5, color=ink)
