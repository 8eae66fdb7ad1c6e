"""What removing confounders brings and costs, and whether decoys are found; on a sample of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.tree import ExtraTreeRegressor
from sklearn.utils.extmath import randomized_svd

from infocheck.calibration import (
    CORRELATION,
    KNOCKOFFS,
    LINEAR,
    NOMINAL,
    PARTIAL,
    SHUFFLED,
    TREE_SELECTOR,
    by_network,
    counted,
    counts,
    knockoffs_of,
    linear,
    rate_curve,
    shares,
)
from infocheck.confounders.factors import DEPTH, Factors
from infocheck.knockoff_pass import RegulatorScale
from infocheck.stats.exchangeability import exchangeability
from infocheck.stats.knockoff_filter import q_values, realised
from infocheck.stats.knockoff_statistics import STATISTICS, Products, ridge, ridge_penalty
from infocheck.stats.knockoffs import Gaussian
from infocheck.stats.lasso import entry_scores
from infocheck.stats.partial import Shrunken, shrinkage_weight
from infocheck.stats.resampling import wilson
from infocheck.stats.selectors import (
    correlation_q,
    partial_q,
    shuffled_correlations,
    shuffled_q,
)
from infocheck.stats.sums import CrossSums

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.hidden import Hidden

# Numbers of principal components that are removed.
REMOVED = (0, 1, 2, 5, 10, 20, 50)
# Most regulators and real targets that the curve is drawn for, and targets of each simulated
# network.
REGULATORS, TARGETS, EACH = 200, 200, 12
# Most targets that are regulators: each has knockoffs of its own.
AMONG = 24
# Regulators that get a decoy: a noisy copy, with noise of this variance (Kernfeld et al. 2024).
DECOYS, DECOY_NOISE = 100, 1 / 9
# Trees: so many of them, on so many rows, for so many targets.
TREES, TREE_ROWS, TREE_TARGETS = 25, 500, 10
# Rows whose nearest neighbours are sought.
NEIGHBOUR_ROWS = 1000
NOTHING, KNOWN = "nothing", "labelled factors"
REAL, SIMULATED = "real", "simulated"


@dataclass(frozen=True)
class Rows:
    """A sample of rows: regulators, targets, and what may be removed from them.

    Attributes
    ----------
    regulators, targets
        Standardised regulators (n, p) and real targets (n, m).
    own
        For each real target its position among the regulators, or -1, shape (m,).
    simulated, truth
        Linear targets by hidden factor ("" for none), each (n, k), and their regulators,
        (p, k).
    replicate
        Simulated network that each belongs to, shape (k,).
    components
        Principal components of the whole panel, orthonormal, largest first, (n, c).
    known
        Orthonormal columns of the labelled factors, (n, f); None without labels.
    """

    regulators: np.ndarray
    targets: np.ndarray
    own: np.ndarray
    simulated: dict[str, np.ndarray]
    truth: np.ndarray
    replicate: np.ndarray
    components: np.ndarray
    known: np.ndarray | None

    @classmethod
    def of(cls, data: Dataset, hidden: Hidden, rng: np.random.Generator) -> Rows:
        sample, p = data.moments.sample, data.panel.p
        z = RegulatorScale.of(data).standardise(sample.values)
        members = np.sort(rng.choice(p, min(p, REGULATORS), replace=False))
        gram = data.moments.total().correlation()[:, :p]
        share, replicate = shares(data, gram, EACH, rng)
        targets = linear(data, gram[np.ix_(members, members)], share, rng, members)
        noise = rng.standard_normal((len(z), len(share)))
        made = {"": targets.values(z, sample.rows, noise)}
        made[hidden.name] = replace(targets, hidden=hidden).values(z, sample.rows, noise)
        chosen, own = _real(data, members, rng)
        everything = standardised(sample.values)
        number = int(min(max(REMOVED), len(z) // 4, everything.shape[1] // 2))
        left = randomized_svd(everything, number, random_state=int(rng.integers(2**31)))[0]
        return cls(
            regulators=z[:, members],
            targets=everything[:, chosen],
            own=own,
            simulated=made,
            truth=targets.truth,
            replicate=replicate,
            components=left,
            known=_known(data, sample.rows),
        )


def standardised(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and variance 1; those without variance become 0."""
    centred = values - values.mean(axis=0)
    sd = centred.std(axis=0)
    return np.divide(centred, sd, out=np.zeros_like(centred), where=sd > 1e-9)


def _real(
    data: Dataset, members: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Panel positions of real targets, and where they are among the regulators, or -1.

    Regulators are targets where there are no others.
    """
    panel = data.panel
    if len(panel.targets):
        chosen = np.sort(rng.choice(panel.targets, min(TARGETS, len(panel.targets)), replace=False))
        return chosen, np.full(len(chosen), -1)
    among = np.sort(rng.choice(len(members), min(AMONG, len(members)), replace=False))
    return members[among], among


def _known(data: Dataset, rows: np.ndarray) -> np.ndarray | None:
    """Levels of all labelled factors, and depth, as orthonormal centred columns."""
    factors = Factors.of(data)
    if factors is None or set(factors.columns) == {DEPTH}:
        return None
    left = factors.basis(rows)
    # As many columns as rows leave nothing to look at.
    return left if 0 < left.shape[1] < len(rows) // 4 else None


def adjustment_curve(
    rows: Rows,
    statistic: str,
    nominal: float,
    rng: np.random.Generator,
    engine_map: Callable,
) -> pd.DataFrame:
    """Discoveries, realised rate and power at one nominal rate, by what is removed.

    Confounders are removed from regulators, knockoffs and targets: the knockoffs are those
    of what is left of the regulators, which are knockoffs given the confounders.
    """
    removed = [(NOTHING, None)]
    if rows.known is not None:
        removed.append((KNOWN, rows.known))
    removed += [
        (f"{k} component{'s' * (k > 1)}", rows.components[:, :k])
        for k in REMOVED[1:]
        if k <= rows.components.shape[1]
    ]

    def one(task: tuple[str, np.ndarray | None, np.random.Generator]) -> list[dict]:
        name, basis, draw = task
        left = Left.of(rows, basis, draw)
        label = {"removed": name, "columns": 0 if basis is None else basis.shape[1]}
        return [{**label, **record} for record in _adjusted(left, rows, statistic)]

    draws = rng.spawn(len(removed))
    tasks = [(*each, draw) for each, draw in zip(removed, draws, strict=True)]
    table = pd.DataFrame([record for part in engine_map(one, tasks) for record in part])
    return table[table["nominal"] == nominal].reset_index(drop=True)


def _adjusted(left: Left, rows: Rows, statistic: str) -> list[dict[str, object]]:
    """Curves of real and simulated targets once confounders are removed."""
    real = counts(left.real(statistic))
    real["found_per_target"] = real["found"] / real["targets"]
    real = real[["selector", "nominal", "found_per_target"]]
    records = real.assign(targets=REAL, hidden="").to_dict("records")
    for hidden, values in rows.simulated.items():
        for selector, q in left.simulated(values, rows.replicate, statistic).items():
            each = {"selector": selector, "targets": SIMULATED, "hidden": hidden}
            records += [{**each, **record} for record in rate_curve(q, rows.truth, rows.replicate)]
    return records


@dataclass(frozen=True)
class Left:
    """What is left of a sample of rows once confounders are removed.

    ``basis`` (n, c) are orthonormal columns that were removed, or None; ``x`` and ``y``
    the rest of regulators and real targets, ``own`` where a target is among the regulators;
    ``copies`` are knockoffs of ``x``, ``both`` (n, 2p) the two side by side on one scale with
    correlations ``gram``, and ``weight`` the shrinkage of those of ``x``.
    ``zeta`` is noise for leaving one out.
    """

    basis: np.ndarray | None
    x: np.ndarray
    copies: np.ndarray
    knockoffs: Gaussian
    weight: float
    y: np.ndarray
    own: np.ndarray
    both: np.ndarray
    gram: np.ndarray
    zeta: np.ndarray

    @classmethod
    def of(cls, rows: Rows, basis: np.ndarray | None, rng: np.random.Generator) -> Left:
        return cls.between(rows.regulators, rows.targets, rows.own, basis, rng)

    @classmethod
    def between(
        cls,
        regulators: np.ndarray,
        targets: np.ndarray,
        own: np.ndarray,
        basis: np.ndarray | None,
        rng: np.random.Generator,
    ) -> Left:
        """Of regulators (n, p) and real targets (n, m)."""
        x = _without(regulators, basis)
        sums = CrossSums.of(x, x.shape[1], fourth=True)
        gram = sums.correlation()
        gram[np.diag_indices(len(gram))] = 1.0
        weight = shrinkage_weight(sums)
        knockoffs = knockoffs_of(gram, weight)
        copies = knockoffs.draw(x, rng.standard_normal(x.shape))
        zeta = rng.standard_normal(x.shape if (own >= 0).any() else (len(x), 0))
        both = np.hstack([x, standardised(copies)])
        return cls(
            basis=basis,
            x=x,
            copies=copies,
            knockoffs=knockoffs,
            weight=weight,
            y=_without(targets, basis),
            own=own,
            both=both,
            gram=both.T @ both / len(x),
            zeta=zeta,
        )

    @property
    def n(self) -> int:
        """Observations less the columns that were removed."""
        return len(self.x) - (0 if self.basis is None else self.basis.shape[1])

    def products(self, y: np.ndarray) -> Products:
        """With targets whose columns are standardised, shape (n, k)."""
        return Products(self.gram, self.both.T @ y / len(y), rows=self.n)

    def simulated(
        self, values: np.ndarray, replicate: np.ndarray, statistic: str
    ) -> dict[str, np.ndarray]:
        """q-values of simulated targets, each network on its own, by the same selectors."""
        found = self.products(_without(values, self.basis))
        w, p = STATISTICS[statistic](found), self.x.shape[1]
        return {
            KNOCKOFFS + statistic: by_network(replicate, lambda c: q_values(w[:, c])),
            CORRELATION: by_network(replicate, lambda c: correlation_q(found.cross[:p, c], self.n)),
        }

    def real(self, statistic: str) -> dict[str, np.ndarray]:
        """q-values of real targets by knockoffs with one statistic, and by correlation."""
        w = self.statistics((statistic,))[statistic]
        return {
            KNOCKOFFS + statistic: q_values(w),
            CORRELATION: correlation_q(self.correlations, self.n),
        }

    @property
    def correlations(self) -> np.ndarray:
        """Of regulators with real targets, shape (p, m); NaN for a target itself."""
        r = self.x.T @ self.y / len(self.y)
        inside = np.flatnonzero(self.own >= 0)
        r[self.own[inside], inside] = np.nan
        return r

    def statistics(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Statistics of knockoffs for real targets, each (p, m).

        A target that is a regulator gets knockoffs of all the others.
        """
        p, m = self.x.shape[1], self.y.shape[1]
        w = {name: np.full((p, m), np.nan) for name in names}
        outside = self.own < 0
        if outside.any():
            found = self.products(self.y[:, outside])
            for name in w:
                w[name][:, outside] = STATISTICS[name](found)
        if outside.all():
            return w
        # The penalty of ridge takes long to choose, and is the same for all targets.
        named = dict(STATISTICS)
        penalty = ridge_penalty(replace(self.products(self.y), own=self.own))
        named["ridge"] = partial(ridge, penalty=penalty)
        for column in np.flatnonzero(~outside):
            k = self.own[column]
            others = np.delete(np.arange(p), k)
            found = self._left_out(column, k, others)
            for name in w:
                w[name][others, column] = named[name](found)[:, 0]
        return w

    def _left_out(self, column: int, k: int, others: np.ndarray) -> Products:
        copies = self.knockoffs.leave_out(self.x, self.copies, k, self.zeta[:, k])
        both = np.hstack([self.x[:, others], standardised(copies)])
        y, n = self.y[:, [column]], len(self.y)
        return Products(both.T @ both / n, both.T @ y / n, rows=self.n)


def knockoff_statistics(
    data: Dataset, targets: np.ndarray, statistic: str, rng: np.random.Generator
) -> np.ndarray:
    """Statistic of knockoffs for targets at these panel positions, shape (p, m).

    From the row sample; NaN for a target itself.
    """
    sample, p = data.moments.sample, data.panel.p
    z = RegulatorScale.of(data).standardise(sample.values)
    own = np.where(targets < p, targets, -1)
    left = Left.between(z, sample.values[:, targets], own, None, rng)
    return left.statistics((statistic,))[statistic]


def _without(values: np.ndarray, basis: np.ndarray | None) -> np.ndarray:
    """Standardised columns without what orthonormal columns explain of them."""
    centred = standardised(values)
    if basis is None:
        return centred
    return standardised(centred - basis @ (basis.T @ centred))


def decoys(rows: Rows, statistic: str, rng: np.random.Generator) -> pd.DataFrame:
    """Noisy copies of regulators among the regulators: whoever finds them is wrong."""
    p = rows.regulators.shape[1]
    copied = np.sort(rng.choice(p, min(p, DECOYS), replace=False))
    x = rows.regulators[:, copied]
    noisy = x + np.sqrt(DECOY_NOISE) * rng.standard_normal(x.shape)
    wide = replace(rows, regulators=np.hstack([rows.regulators, noisy]))
    left = Left.of(wide, None, rng)
    # The decoy of a target says of it what no other regulator does.
    targets = np.flatnonzero(np.isin(rows.own, copied))
    decoy = p + np.searchsorted(copied, rows.own[targets])
    records = []
    for selector, q in left.real(statistic).items():
        q[decoy, targets] = np.nan
        for level in NOMINAL:
            kept = q <= level * (1 + 1e-12)
            found, false = int(np.nansum(kept)), int(np.nansum(kept[p:]))
            low, high = (float(end) for end in wilson(np.array(false), np.array(found)))
            records.append(
                {
                    "selector": selector,
                    "nominal": level,
                    "found": found,
                    "decoys_found": false,
                    "share": false / found if found else np.nan,
                    "share_low": low if found else np.nan,
                    "share_high": high if found else np.nan,
                    "decoys": len(copied),
                    "regulators": p,
                }
            )
    return pd.DataFrame(records)


def swap_test(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Can regulators be told from their knockoffs by their neighbours?"""
    left = Left.of(rows, None, rng)
    few = rng.choice(len(left.x), min(len(left.x), NEIGHBOUR_ROWS), replace=False)
    found = exchangeability(left.x[few], left.copies[few], rng)
    return pd.DataFrame(
        [
            {
                "rows": len(few),
                "statistic": found.statistic,
                "expected": found.expected,
                "p_value": found.p_value,
            }
        ]
    )


def among_regulators(rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """What every selector finds where every target is a regulator as well."""
    left = Left.of(rows, None, rng)
    r, own, n = left.correlations, left.own, left.n
    gram = left.x.T @ left.x / len(left.x)
    shuffled = shuffled_correlations(gram, n, len(own), rng)
    entry, null = (
        np.maximum(entry_scores(gram, np.nan_to_num(part), own), 0.0) for part in (r, shuffled)
    )
    model = Shrunken.of(gram, left.weight)
    return counts(
        {
            CORRELATION: correlation_q(r, n),
            PARTIAL: partial_q(model, np.nan_to_num(r), n, own),
            SHUFFLED: shuffled_q(entry, null),
            **{KNOCKOFFS + name: q_values(w) for name, w in left.statistics(STATISTICS).items()},
        }
    )


def trees(rows: Rows, rng: np.random.Generator, engine_map: Callable) -> pd.DataFrame:
    """Tree ensembles whose importances are cut by shuffled targets, on a few targets.

    Extremely randomised trees (Geurts et al. 2006) as in GENIE3; importance of every
    regulator for targets and for the same targets with shuffled rows.
    """
    chosen = rng.choice(len(rows.regulators), min(TREE_ROWS, len(rows.regulators)), replace=False)
    few = rng.choice(rows.truth.shape[1], min(TREE_TARGETS, rows.truth.shape[1]), replace=False)
    x = np.ascontiguousarray(rows.regulators[chosen], np.float32)
    truth = rows.truth[:, few]
    seed = int(rng.integers(2**30))

    def importance(y: np.ndarray) -> np.ndarray:
        # Single trees: a forest object takes longer to make than its trees.
        grown = (
            ExtraTreeRegressor(max_features="sqrt", random_state=seed + number).fit(
                x, y, check_input=False
            )
            for number in range(TREES)
        )
        return np.mean([tree.feature_importances_ for tree in grown], axis=0)

    records = []
    for hidden, values in rows.simulated.items():
        y = standardised(values[chosen][:, few])
        shuffled = rng.permuted(y, axis=0)
        found = np.array(engine_map(importance, [*y.T, *shuffled.T])).T
        q = shuffled_q(found[:, : len(few)], found[:, len(few) :])
        number, true = realised(q, truth, NOMINAL)
        counts = {"edges": int(truth.sum()), "targets": len(few)}
        records.append(counted(TREE_SELECTOR, LINEAR, hidden, number, true, **counts))
    return pd.concat(records, ignore_index=True)
