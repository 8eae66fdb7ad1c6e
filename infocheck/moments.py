"""Moments: the sums over rows that all checks share, from one streaming pass.

Rows are read in blocks, brought to the scale of the analysis, shifted by a pilot
mean and added to sums keyed by fold, by half and by group. Sums of disjoint rows
can be added (``a + b``), in any order and on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Self

import numpy as np
import scipy.sparse as sp

from infocheck.dataset import Dataset
from infocheck.splits import FOLDS, SPLITS
from infocheck.stats.groups import indicator
from infocheck.stats.reliability import closed_form
from infocheck.stats.sums import CrossSums

PATTERNS = 2**SPLITS


class _Additive:
    """Adds field by field."""

    def __add__(self, other: Self) -> Self:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return type(self)(*(a + b for a, b in pairs))


@dataclass(frozen=True)
class GroupSums(_Additive):
    """First and second moments of every panel gene by jackknife group.

    Attributes
    ----------
    n
        Rows, shape (groups,).
    total, squares
        Sums of shifted values and of their squares, shape (groups, g).
    """

    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray


@dataclass(frozen=True)
class LevelSums(_Additive):
    """First moments of every panel gene by jackknife group and level of a factor.

    Attributes
    ----------
    n
        Rows, shape (groups, levels); the last level holds rows without a label.
    total
        Sums of shifted values, shape (groups, levels, g).
    squares
        Sums of their squares by level alone, shape (levels, g).
    """

    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray


@dataclass(frozen=True)
class RowPrints(_Additive):
    """A fingerprint of every row, to find rows that repeat others.

    Attributes
    ----------
    fingerprint
        Equal for rows with equal panel values as they are stored; 0 for rows that
        were not read, shape (n,).
    filled
        Panel values other than 0, shape (n,).
    """

    fingerprint: np.ndarray
    filled: np.ndarray


@dataclass(frozen=True)
class DepthSums(_Additive):
    """Sums with the log size factor by jackknife group.

    Attributes
    ----------
    total, squares
        Of the log size factor, shape (groups,).
    products
        Of the log size factor and shifted values, shape (groups, g).
    """

    total: np.ndarray
    squares: np.ndarray
    products: np.ndarray


@dataclass(frozen=True)
class TechnicalSums(_Additive):
    """Sums for the counting noise of every panel gene, by group.

    Attributes
    ----------
    n
        Rows, shape (groups,).
    total, squares, noise
        Sums of c/s, (c/s)² and c/s², shape (groups, g); c counts, s size factor.
    """

    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    noise: np.ndarray

    def reliability(self) -> np.ndarray:
        """Of every gene over all groups, in [0, 1]; 0 for genes without variance."""
        parts = (part.sum(axis=0) for part in (self.total, self.squares, self.noise))
        return np.nan_to_num(closed_form(self.n.sum(), *parts), nan=0.0)


@dataclass(frozen=True)
class RowSample:
    """Rows of the panel, for what needs rows.

    Attributes
    ----------
    rows
        Positions among the kept rows.
    values
        The panel on the scale of the analysis, shape (rows, g).
    """

    rows: np.ndarray
    values: np.ndarray

    def __add__(self, other: RowSample) -> RowSample:
        rows = np.concatenate([self.rows, other.rows])
        order = np.argsort(rows, kind="stable")
        values = np.concatenate([self.values, other.values])
        return RowSample(rows[order], values[order])


@dataclass(frozen=True)
class Moments:
    """Sums of the panel over rows.

    Attributes
    ----------
    shift
        What was subtracted from every panel gene before summing, shape (g,).
    folds
        Sums for each of 5 folds: regulators against the whole panel.
    patterns
        Sums for each of the 8 combinations of halves in 3 splits: regulators
        against regulators and the stability sample, with fourth moments.
    groups
        Moments by jackknife group.
    levels
        For each labelled role, sums by jackknife group and level.
    depth
        Sums with the log size factor; None without counts.
    design
        Products of the design columns of a stated formula and shifted values, by jackknife
        group, shape (groups, k, g); None without a formula.
    technical
        Counting-noise sums by jackknife group; None without counts.
    strata
        Counting-noise sums by cell type and donor; None without counts or labels.
    arms
        Sums by block of the arms and level of the perturbation; None without one.
    prints
        Fingerprints of the kept rows.
    sample
        The row sample.
    """

    shift: np.ndarray
    folds: tuple[CrossSums, ...]
    patterns: tuple[CrossSums, ...]
    groups: GroupSums
    levels: Mapping[str, LevelSums]
    depth: DepthSums | None
    design: np.ndarray | None
    technical: TechnicalSums | None
    strata: TechnicalSums | None
    arms: LevelSums | None
    prints: RowPrints
    sample: RowSample

    def total(self) -> CrossSums:
        """Sums over all rows."""
        return reduce(lambda a, b: a + b, self.folds)

    def half(self, split: int, side: int) -> CrossSums:
        """Sums of one half of one split."""
        chosen = [s for i, s in enumerate(self.patterns) if i >> split & 1 == side]
        return reduce(lambda a, b: a + b, chosen)

    def __add__(self, other: Moments) -> Moments:
        if not np.array_equal(self.shift, other.shift):
            raise ValueError("moments with different shifts cannot be added")

        def optional(a, b):
            return None if a is None or b is None else a + b

        return Moments(
            shift=self.shift,
            folds=tuple(a + b for a, b in zip(self.folds, other.folds, strict=True)),
            patterns=tuple(a + b for a, b in zip(self.patterns, other.patterns, strict=True)),
            groups=self.groups + other.groups,
            levels={name: self.levels[name] + other.levels[name] for name in self.levels},
            depth=optional(self.depth, other.depth),
            design=optional(self.design, other.design),
            technical=optional(self.technical, other.technical),
            strata=optional(self.strata, other.strata),
            arms=optional(self.arms, other.arms),
            prints=self.prints + other.prints,
            sample=self.sample + other.sample,
        )

    @classmethod
    def of(cls, data: Dataset, *, rows: slice = slice(None)) -> Moments:
        """One pass over the kept rows of a data set, or over a slice of them."""
        return _Pass(data, rows).run()


class _Pass:
    """Accumulates one pass; every accumulator belongs to one task, so order is fixed."""

    def __init__(self, data: Dataset, rows: slice) -> None:
        self.data = data
        self.start, self.stop, _ = rows.indices(data.n)
        panel, splits = data.panel, data.splits
        p, g = panel.p, len(panel.genes)
        h = len(panel.half_columns)
        self.shift = pilot_mean(data)
        self.folds = [CrossSums.zeros(p, g) for _ in range(FOLDS)]
        self.patterns = [CrossSums.zeros(p, h, fourth=True) for _ in range(PATTERNS)]
        self.n_groups = splits.n_groups
        k = self.n_groups
        self.groups = GroupSums(np.zeros(k), np.zeros((k, g)), np.zeros((k, g)))
        self.levels = {
            name: LevelSums(
                np.zeros((k, r.n_levels + 1)),
                np.zeros((k, r.n_levels + 1, g)),
                np.zeros((r.n_levels + 1, g)),
            )
            for name, r in data.roles.items()
        }
        counts = data.is_counts
        self.depth = None
        if data.depth is not None:
            self.depth = DepthSums(np.zeros(k), np.zeros(k), np.zeros((k, g)))
        self.design = None
        if data.design is not None:
            self.design = np.zeros((k, data.design.matrix.shape[1], g))
        self.technical = self._noise(self.n_groups) if counts else None
        self.stratum = strata(data) if counts else None
        self.strata = None
        if self.stratum is not None:
            self.strata = self._noise(int(self.stratum.max()) + 1)
        self.arms = None
        if data.arms is not None:
            levels, blocks = data.roles["perturbation"].n_levels + 1, data.arms.n_blocks
            self.arms = LevelSums(
                np.zeros((blocks, levels)),
                np.zeros((blocks, levels, g)),
                np.zeros((levels, g)),
            )
        self.prints = RowPrints(np.zeros(data.n, np.uint64), np.zeros(data.n, np.int64))
        self.keys = _hash_keys(g)
        self.sampled: list[RowSample] = []

    def _noise(self, groups: int) -> TechnicalSums:
        g = len(self.data.panel.genes)
        return TechnicalSums(np.zeros(groups), *(np.zeros((groups, g)) for _ in range(3)))

    def run(self) -> Moments:
        data = self.data
        for rows, raw in panel_blocks(data, self.start, self.stop):
            self._add(raw, rows)
        g = len(data.panel.genes)
        empty = RowSample(np.empty(0, np.int64), np.empty((0, g)))
        return Moments(
            shift=self.shift,
            folds=tuple(self.folds),
            patterns=tuple(self.patterns),
            groups=self.groups,
            levels=self.levels,
            depth=self.depth,
            design=self.design,
            technical=self.technical,
            strata=self.strata,
            arms=self.arms,
            prints=self.prints,
            sample=reduce(lambda a, b: a + b, self.sampled, empty),
        )

    def _add(self, raw: np.ndarray, rows: np.ndarray) -> None:
        data, splits = self.data, self.data.splits
        factor = None if data.size_factors is None else data.size_factors[rows]
        values = on_scale(data, raw, rows)
        inside = np.isin(rows, splits.sample, assume_unique=True)
        if inside.any():
            self.sampled.append(RowSample(rows[inside], values[inside]))
        values = values - self.shift

        tasks = [lambda f=f: self._fold(f, rows, values) for f in range(FOLDS)]
        tasks += [lambda h=h: self._pattern(h, rows, values) for h in range(PATTERNS)]
        tasks.append(lambda: self._first_moments(rows, values))
        tasks.append(lambda: self._fingerprints(rows, raw))
        if self.design is not None:
            tasks.append(lambda: self._design_products(rows, values))
        if factor is not None and self.technical is not None:
            tasks.append(lambda: self._noise_sums(rows, raw, factor))
        data.engine.map(lambda task: task(), tasks)

    def _fold(self, fold: int, rows: np.ndarray, values: np.ndarray) -> None:
        self.folds[fold].update(values[self.data.splits.fold[rows] == fold])

    def _pattern(self, pattern: int, rows: np.ndarray, values: np.ndarray) -> None:
        chosen = self.data.splits.pattern[rows] == pattern
        columns = self.data.panel.half_columns
        self.patterns[pattern].update(values[np.ix_(chosen, columns)])

    def _first_moments(self, rows: np.ndarray, values: np.ndarray) -> None:
        data = self.data
        group = data.splits.group[rows]
        by_group = indicator(group, self.n_groups)
        self.groups.n[:] += by_group @ np.ones(len(rows))
        self.groups.total[:] += by_group @ values
        squares = values * values
        self.groups.squares[:] += by_group @ squares
        for name, role in data.roles.items():
            _add_levels(self.levels[name], group, role.complete()[rows], values, squares)
        if self.arms is not None:
            arms = data.arms
            _add_levels(self.arms, arms.block[rows], arms.level[rows], values, squares)
        if self.depth is not None and data.depth is not None:
            depth = data.depth[rows]
            self.depth.total[:] += by_group @ depth
            self.depth.squares[:] += by_group @ depth**2
            self.depth.products[:] += by_group @ (values * depth[:, None])

    def _design_products(self, rows: np.ndarray, values: np.ndarray) -> None:
        group = self.data.splits.group[rows]
        columns = self.data.design.matrix[rows]
        for g in np.unique(group):
            inside = group == g
            self.design[g] += columns[inside].T @ values[inside]

    def _fingerprints(self, rows: np.ndarray, raw: np.ndarray) -> None:
        self.prints.fingerprint[rows] = fingerprints(raw, self.keys)
        self.prints.filled[rows] = np.count_nonzero(raw, axis=1)

    def _noise_sums(self, rows: np.ndarray, raw: np.ndarray, factor: np.ndarray) -> None:
        share = raw / factor[:, None]
        parts = (share, share * share, share / factor[:, None])
        _add_noise(self.technical, self.data.splits.group[rows], parts)
        if self.strata is not None and self.stratum is not None:
            _add_noise(self.strata, self.stratum[rows], parts)


def panel_blocks(
    data: Dataset, start: int = 0, stop: int | None = None, *, step: str = "Reading rows"
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One pass over the kept rows from ``start`` to ``stop``, block by block.

    Yields positions among the kept rows, shape (b,), and the panel as it is stored, (b, g).
    """
    stop = data.n if stop is None else stop
    seen, done = 0, 0
    for offset, block in data.matrix.blocks():
        kept = data.kept[offset : offset + block.shape[0]]
        block = block if kept.all() else block[kept]
        first, seen = seen, seen + block.shape[0]
        low, high = max(first, start), min(seen, stop)
        if low < high:
            part = block[low - first : high - first]
            yield np.arange(low, high), _panel_values(part, data.panel.genes)
        done += len(kept)
        data.engine.progress(step, done, data.n_obs)


def on_scale(data: Dataset, raw: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values of these rows on the scale of the analysis: log1p(c/s) of counts."""
    if data.size_factors is None:
        return raw
    return np.log1p(raw / data.size_factors[rows][:, None])


def sampled_counts(
    data: Dataset, chosen: np.ndarray | slice = slice(None), genes: np.ndarray | slice = slice(None)
) -> tuple[np.ndarray, np.ndarray] | None:
    """Counts of rows of the row sample, and their size factors; None without counts.

    The sample holds ``log1p(c/s)``, from which whole counts come back exactly.
    """
    if not data.is_counts or data.size_factors is None:
        return None
    sample = data.moments.sample
    size = data.size_factors[sample.rows[chosen]]
    counts = np.rint(np.expm1(sample.values[chosen][:, genes]) * size[:, None])
    return counts.astype(np.int64), size


def fingerprints(values: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A 64-bit number for each row; different rows share one about never.

    Integer sums are exact in any order, so neither the size of a block nor the
    number of workers changes them.
    """
    bits = (values + 0.0).view(np.uint64)  # + 0.0: minus zero is zero
    # The low bits of whole and of single-precision numbers are empty: fill them.
    bits ^= bits >> np.uint64(32)
    bits *= keys
    return bits.sum(axis=1, dtype=np.uint64)


def _hash_keys(genes: int) -> np.ndarray:
    """Odd numbers that are the same in every run, shape (genes,)."""
    drawn = np.random.default_rng(64).integers(2**64, size=genes, dtype=np.uint64)
    return drawn | np.uint64(1)


def pilot_mean(data: Dataset) -> np.ndarray:
    """A value near the mean of every panel gene, from the first pass alone."""
    genes = data.panel.genes
    if data.size_factors is None:
        return data.scan.mean[genes]
    n, total, _, _ = data.scan.normalised()
    return np.log1p(total[genes] / n)


def strata(data: Dataset) -> np.ndarray | None:
    """Cell type × donor (or whichever is labelled) of each row; None without both."""
    labelled = [data.roles[name] for name in ("cell_type", "donor") if name in data.roles]
    if not labelled:
        return None
    code = np.zeros(data.n, np.int64)
    for role in labelled:
        code = code * (role.n_levels + 1) + role.complete()
    return np.unique(code, return_inverse=True)[1]


def _panel_values(block: np.ndarray | sp.csr_matrix, genes: np.ndarray) -> np.ndarray:
    chosen = block[:, genes]
    dense = chosen.toarray() if sp.issparse(chosen) else chosen
    return np.ascontiguousarray(dense, dtype=np.float64)


def _add_levels(
    sums: LevelSums,
    group: np.ndarray,
    level: np.ndarray,
    values: np.ndarray,
    squares: np.ndarray,
) -> None:
    groups, levels = sums.n.shape
    cell = group * levels + level
    sums.n[:] += np.bincount(cell, minlength=groups * levels).reshape(groups, levels)
    sums.total[:] += (indicator(cell, groups * levels) @ values).reshape(sums.total.shape)
    sums.squares[:] += indicator(level, levels) @ squares


def _add_noise(
    sums: TechnicalSums | None, group: np.ndarray, parts: tuple[np.ndarray, ...]
) -> None:
    if sums is None:
        return
    by_group = indicator(group, len(sums.n))
    sums.n[:] += np.bincount(group, minlength=len(sums.n))
    for total, part in zip((sums.total, sums.squares, sums.noise), parts, strict=True):
        total[:] += by_group @ part
