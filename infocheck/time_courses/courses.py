"""Courses of genes in time, of followed series or of means of snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from infocheck.stats import relaxation, time_course
from infocheck.stats.false_discovery import adjusted
from infocheck.stats.relaxation import HalfLife, Products
from infocheck.time_courses.layout import SERIES, Layout

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Common responses are taken out of series when there are so many of them.
FEWEST_COMMON = 3
# Of changes, over all genes and steps.
FDR = 0.05
# With fewer samples at some time, one standard deviation is taken for all times.
FEW_SAMPLES = 10


@dataclass(frozen=True)
class Course:
    """What was measured at each time, of regulators first and then of sampled targets.

    Attributes
    ----------
    times
        Of the grid, rising, shape (T,).
    samples
        Independent samples at each, shape (T,): series, donors or cells.
    what
        The word for them.
    p_values
        Of the change over every step, shape (steps, genes); steps of all series one after
        the other, or those of the grid.
    step
        Which step of the grid each of them is, -1 for one that skips a time, shape (steps,).
    noise
        Standard deviation of one sample at one time, shape (genes,).
    range
        Difference between the highest and the lowest time, mean over series, shape (genes,).
    p
        Regulators among the genes.
    series_times, series_values
        Of every series, for those that are followed.
    responses
        Values of the series with what all of them do at the same time, which is taken out of
        ``series_values``, shape (series, T, genes); None where they are on different grids.
    means, errors
        At every time, of snapshots, shape (T, genes).
    degrees
        Degrees of freedom of ``errors``.
    """

    times: np.ndarray
    samples: np.ndarray
    what: str
    p_values: np.ndarray
    step: np.ndarray
    noise: np.ndarray
    range: np.ndarray
    p: int
    series_times: list[np.ndarray] = field(default_factory=list)
    series_values: list[np.ndarray] = field(default_factory=list)
    responses: np.ndarray | None = None
    means: np.ndarray | None = None
    errors: np.ndarray | None = None
    degrees: float = np.inf

    @property
    def followed(self) -> bool:
        return self.means is None

    @property
    def typical_step(self) -> float:
        """Median step of the series, or of the grid."""
        if not self.followed:
            return float(np.median(np.diff(self.times)))
        return float(np.median(np.concatenate([np.diff(t) for t in self.series_times])))

    @property
    def changed(self) -> np.ndarray:
        """Which changes stand beyond noise at FDR 5 % over genes and steps, (steps, genes)."""
        return adjusted(self.p_values) <= FDR

    def relative_noise(self) -> tuple[float, str]:
        """Median over genes of noise over range, and over which genes.

        Genes that change; in series in which none does, all that vary, because fluctuations
        are a range of their own there. NaN for snapshots without a change.
        """
        varies = (self.range > 0) & (self.noise > 0)
        moves, words = self.changed.any(axis=0) & varies, "genes that change"
        if not moves.any() and self.followed:
            moves, words = varies, "all genes"
        if not moves.any():
            return np.nan, "no gene"
        return float(np.median(self.noise[moves] / self.range[moves])), words


@dataclass(frozen=True)
class Relaxation:
    """How long regulators remember.

    Attributes
    ----------
    half_life
        Of every regulator, with measurement noise of unknown size allowed for.
    by_response
        Which of them come from the way of the mean to another level, rather than from the memory
        of deviations.
    exact
        Of every regulator if values were exact; None for snapshots.
    left_out
        Share of resolved regulators without each group of series, or with means drawn anew
        from their errors: its spread is the error of that share.
    drawn
        Is ``left_out`` the latter?
    groups
        Groups of series, or times of snapshots.
    """

    half_life: HalfLife
    by_response: np.ndarray
    exact: HalfLife | None
    left_out: np.ndarray
    drawn: bool
    groups: int


def course(data: Dataset, layout: Layout) -> Course | None:
    """The course of regulators and sampled targets; None where series are too short."""
    return _series(data, layout) if layout.kind == SERIES else _snapshots(data, layout)


def relaxation_of(
    found: Course, factor: float, rng: np.random.Generator, draws: int = 40
) -> Relaxation | None:
    """Half-lives of regulators; None where the grid cannot hold three parameters."""
    p = slice(0, found.p)
    if not found.followed:
        if len(found.times) < 4:
            return None
        means, errors = found.means[:, p], found.errors[:, p]
        half_life = relaxation.from_means(found.times, means, errors, found.degrees)
        again = []
        for _ in range(draws):
            drawn = means + errors * rng.standard_normal(means.shape)
            again.append(
                _share(relaxation.from_means(found.times, drawn, errors, found.degrees), factor)
            )
        every = np.ones(found.p, dtype=bool)
        left_out = np.array(again)
        return Relaxation(half_life, every, None, left_out, drawn=True, groups=len(found.times))
    products = Products.of(found.series_times, [value[:, p] for value in found.series_values])
    responses = None if found.responses is None else found.responses[:, :, p]
    if responses is not None and responses.shape[1] < 4:
        responses = None

    def told(products: Products, responses: np.ndarray | None) -> tuple[HalfLife, np.ndarray]:
        memory = products.half_lives(noise=True)
        if responses is None or len(responses) < 2:
            return memory, np.zeros(found.p, dtype=bool)
        return relaxation.narrower(memory, relaxation.from_responses(found.times, responses))

    half_life, by_response = told(products, responses)
    left_out = []
    for g, gone in enumerate(products.series):
        rest = None if responses is None else np.delete(responses, gone, axis=0)
        left_out.append(_share(told(products.without(g), rest)[0], factor))
    return Relaxation(
        half_life,
        by_response,
        products.half_lives(noise=False),
        np.array(left_out),
        drawn=False,
        groups=products.groups,
    )


def _share(found: HalfLife, factor: float) -> float:
    """Share of resolved regulators among those that vary; 0 where none does."""
    judged = ~np.isnan(found.estimate)
    return float(found.resolved(factor)[judged].mean()) if judged.any() else 0.0


def _series(data: Dataset, layout: Layout) -> Course | None:
    values = data.moments.sample.values[:, data.panel.half_columns]
    times, series = [], []
    for unit in np.unique(layout.series[layout.series >= 0]):
        rows = np.flatnonzero(layout.series == unit)
        rows = rows[np.argsort(layout.time[rows], kind="stable")]
        if len(rows) >= 3:
            times.append(layout.time[rows])
            series.append(values[rows])
    if not times:
        return None
    same = all(np.array_equal(time, times[0]) for time in times)
    common = same and len(times) >= FEWEST_COMMON
    own = time_course.common_removed(times, series) if common else series
    noise = time_course.interpolation_noise(times, own)
    grid = np.unique(np.concatenate(times))
    at = [np.searchsorted(grid, time) for time in times]
    return Course(
        times=grid,
        samples=np.bincount(np.concatenate(at), minlength=len(grid)),
        what="series",
        p_values=np.concatenate([time_course.series_steps(value, noise) for value in series]),
        step=np.concatenate([np.where(np.diff(a) == 1, a[:-1], -1) for a in at]),
        noise=noise.sd,
        range=np.mean([np.ptp(value, axis=0) for value in series], axis=0),
        p=data.panel.p,
        series_times=times,
        series_values=own,
        responses=np.stack(series) if common else None,
    )


def _snapshots(data: Dataset, layout: Layout) -> Course:
    order = np.flatnonzero(np.isfinite(layout.level))
    times, place = np.unique(layout.level[order], return_inverse=True)
    by_donor = _donor_means(data, layout, times)
    if by_donor is not None:
        n, means, sd, what = *by_donor, "donors"
    else:
        n, means, sd = _cell_means(data, order, place, len(times))
        what = "rows"
    kept = n >= 2
    n, times, means, sd = n[kept], times[kept], means[kept], sd[kept]
    degrees, few = np.inf, n < FEW_SAMPLES
    if few.any():
        # So few samples do not tell a standard deviation at one time; all times together do.
        pooled = float((n - 1).sum())
        sd = np.where(few[:, None], np.sqrt((n - 1) @ sd**2 / pooled), sd)
        degrees = pooled if few.mean() > 0.5 else np.inf
    errors = sd / np.sqrt(n)[:, None]
    return Course(
        times=times,
        samples=n,
        what=what,
        p_values=time_course.mean_steps(means, errors, np.where(few, (n - 1).sum(), n - 1)),
        step=np.arange(len(times) - 1),
        noise=np.sqrt((sd**2).mean(axis=0)),
        range=np.ptp(means, axis=0),
        p=data.panel.p,
        means=means,
        errors=errors,
        degrees=degrees,
    )


def _cell_means(
    data: Dataset, levels: np.ndarray, place: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, means and standard deviations at each time, from the sums over all rows."""
    sums, columns = data.moments.levels["time"], data.panel.half_columns
    join = np.zeros((count, len(levels)))
    join[place, np.arange(len(levels))] = 1
    n = join @ sums.n.sum(axis=0)[levels]
    total = join @ sums.total.sum(axis=0)[np.ix_(levels, columns)]
    squares = join @ sums.squares[np.ix_(levels, columns)]
    some = np.maximum(n, 1)[:, None]
    mean = total / some
    left = np.maximum(squares - some * mean**2, 0.0)
    variance = np.where(left > 1e-12 * squares, left, 0.0) / np.maximum(n - 1, 1)[:, None]
    return n, mean, np.sqrt(variance)


def _donor_means(
    data: Dataset, layout: Layout, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The same over means of donors; None unless at least two donors stand at every time."""
    role = data.roles.get("donor")
    if role is None:
        return None
    sample = data.moments.sample
    donor = role.codes[sample.rows]
    used = np.isfinite(layout.time) & (donor >= 0)
    at = np.searchsorted(times, layout.time[used])
    unit = at * role.n_levels + donor[used]
    present, code, size = np.unique(unit, return_inverse=True, return_counts=True)
    per_time = np.bincount(present // role.n_levels, minlength=len(times))
    if per_time.min() < 2:
        return None
    values = sample.values[:, data.panel.half_columns][used]
    by_donor = np.zeros((len(present), values.shape[1]))
    np.add.at(by_donor, code, values)
    by_donor /= size[:, None]
    parts = [by_donor[present // role.n_levels == t] for t in range(len(times))]
    means = np.stack([part.mean(axis=0) for part in parts])
    return per_time, means, np.stack([part.std(axis=0, ddof=1) for part in parts])
