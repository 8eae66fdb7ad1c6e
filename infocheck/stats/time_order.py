"""Does the order of samples in time tell which of two genes leads?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infocheck.stats.resampling import jackknife_error, t_interval

# Draws of the null, and the quantile of its asymmetries that counts as asymmetric: far out,
# because networks are sparse.
DRAWS = 40
QUANTILE = 0.99
# With so many series their pairing is permuted; with fewer, each is turned round on itself.
FEWEST_PAIRED = 5
# Groups of series, or blocks of transitions, that are left out one at a time.
GROUPS = 10


@dataclass(frozen=True)
class Transitions:
    """Neighbouring samples of many genes, means of their series taken out.

    Attributes
    ----------
    now, then
        Values at a sample and at the next, shape (transitions, genes).
    series
        Series of each transition, shape (transitions,).
    """

    now: np.ndarray
    then: np.ndarray
    series: np.ndarray

    @classmethod
    def of(cls, values: list[np.ndarray]) -> Transitions:
        """Of series, each of shape (T, genes); those of one sample give nothing."""
        centred = [value - value.mean(axis=0) for value in values]
        label = np.concatenate([np.full(max(len(v) - 1, 0), i) for i, v in enumerate(values)])
        now, then = (
            np.concatenate([v[part] for v in centred]) for part in (slice(None, -1), slice(1, None))
        )
        return cls(now, then, label)

    def take(self, rows: np.ndarray) -> Transitions:
        return Transitions(self.now[rows], self.then[rows], self.series[rows])


def asymmetry(leaders: Transitions, followers: Transitions) -> np.ndarray:
    """How much more x tells of the next y than y tells of the next x, shape (p, m).

    ``|corr(x_t, y_t+1 | y_t)| - |corr(y_t, x_t+1 | x_t)|``: a lagged partial correlation of
    each direction, beyond the target's own past (after Granger 1969, one lag). Above 0 where
    the gene of ``leaders`` leads, from -1 to 1; 0 for genes without variance.

    Parameters
    ----------
    leaders, followers
        The same transitions of p and of m genes.
    """
    return np.abs(_ahead(leaders, followers)) - np.abs(_ahead(followers, leaders)).T


def share_asymmetric(found: np.ndarray, limit: float, pairs: np.ndarray) -> float:
    """Share of pairs whose asymmetry is beyond a limit; ``pairs`` says which are counted."""
    return float((np.abs(found) > limit)[pairs].mean())


def null_asymmetries(
    leaders: list[np.ndarray],
    followers: list[np.ndarray],
    pairs: np.ndarray,
    rng: np.random.Generator,
) -> tuple[float, np.ndarray]:
    """What unrelated genes show: their 99th percentile, and the share beyond it in every draw.

    With at least five series of one length, the leaders of one series are set against the
    followers of another; with fewer, the leaders of each series are turned round by a random
    part of its length. Both keep the memory of every gene and break what joins the two.

    Parameters
    ----------
    leaders, followers
        Values of every series, shape (T, p) and (T, m).
    pairs
        Which pairs are counted, shape (p, m), boolean.
    """
    same = len({len(series) for series in leaders}) == 1
    after = Transitions.of(followers)
    drawn = []
    for _ in range(DRAWS):
        if same and len(leaders) >= FEWEST_PAIRED:
            order = rng.permutation(len(leaders))
            back = np.empty_like(order)
            # The next one in a random circle: no series meets itself.
            back[order] = np.roll(order, 1)
            other = [leaders[i] for i in back]
        else:
            other = [
                np.roll(series, rng.integers(max(len(series) // 4, 1), len(series)), axis=0)
                for series in leaders
            ]
        drawn.append(np.abs(asymmetry(Transitions.of(other), after))[pairs])
    values = np.stack(drawn)
    limit = float(np.quantile(values, QUANTILE))
    return limit, (values > limit).mean(axis=1)


@dataclass(frozen=True)
class Order:
    """How many pairs are asymmetric in time.

    Attributes
    ----------
    share, low, high
        Of pairs beyond the limit, with a 95 % interval over series, 0 to 1.
    first_leads
        Share of pairs beyond it in which the gene of the leaders leads.
    unrelated
        Share in every draw of unrelated genes, shape (draws,).
    """

    share: float
    low: float
    high: float
    first_leads: float
    unrelated: np.ndarray

    @property
    def chance(self) -> float:
        """95th percentile of what unrelated genes show."""
        return float(np.quantile(self.unrelated, 0.95))

    @property
    def beyond_chance(self) -> bool:
        """Is the share above it, and its whole interval above the mean of unrelated genes?

        Unrelated genes pass the first one time in twenty, pairs that share a driver more often;
        the second takes in how much shares differ between series.
        """
        return self.share > self.chance and self.low > float(self.unrelated.mean())


def order(
    leaders: list[np.ndarray],
    followers: list[np.ndarray],
    pairs: np.ndarray,
    rng: np.random.Generator,
) -> Order:
    """The share of asymmetric pairs, against unrelated genes of the same memory.

    The error is the jackknife over series; fewer than five are cut into contiguous blocks of
    transitions. Parameters are those of :func:`null_asymmetries`.

    Notes
    -----
    A driver that reaches one gene before the other makes a pair asymmetric without any regulation
    between them, and so does a gene that follows the same driver more slowly.
    """
    limit, unrelated = null_asymmetries(leaders, followers, pairs, rng)
    before, after = Transitions.of(leaders), Transitions.of(followers)
    whole = asymmetry(before, after)
    share = share_asymmetric(whole, limit, pairs)
    group = _groups(before.series)
    left_out = []
    for g in np.unique(group):
        rest = np.flatnonzero(group != g)
        part = asymmetry(before.take(rest), after.take(rest))
        # Fewer transitions scatter more, in proportion to the root of their number.
        left_out.append(share_asymmetric(part * np.sqrt(len(rest) / len(group)), limit, pairs))
    error = float(jackknife_error(np.array(left_out)))
    low, high = t_interval(share, error, len(left_out), (0.0, 1.0))
    return Order(share, low, high, float((whole > limit)[pairs].mean()), unrelated)


def _groups(series: np.ndarray) -> np.ndarray:
    """Groups to leave out: whole series, or contiguous blocks of few."""
    if int(series.max()) + 1 >= FEWEST_PAIRED:
        return series % GROUPS
    return np.arange(len(series)) * GROUPS // len(series)


def _ahead(first: Transitions, second: Transitions) -> np.ndarray:
    """Partial correlation of the first now with the second then, given the second now."""
    x, y, after = (_standard(z) for z in (first.now, second.now, second.then))
    n = len(x)
    ahead, at_once = x.T @ after / n, x.T @ y / n
    past = np.einsum("ij,ij->j", y, after) / n
    left = np.maximum((1 - at_once**2) * (1 - past**2), 0.0)
    top = ahead - at_once * past
    return np.divide(top, np.sqrt(left), out=np.zeros_like(top), where=left > 1e-12)


def _standard(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=0)
    sd = np.sqrt((centred**2).mean(axis=0))
    return np.divide(centred, sd, out=np.zeros_like(centred), where=sd > 1e-12)
