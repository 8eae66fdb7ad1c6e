"""Do nominal false discovery rates hold? Selectors on simulated targets of the real regulators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.hidden import Hidden, components, strongest
from infocheck.knockoff_pass import KnockoffSums, knockoff_pass, products
from infocheck.stats import knockoff_statistics
from infocheck.stats.heritability import heritability
from infocheck.stats.knockoff_filter import fdp, q_values, realised
from infocheck.stats.knockoff_statistics import Products
from infocheck.stats.knockoffs import Gaussian
from infocheck.stats.lasso import entry_scores
from infocheck.stats.partial import MIN_SHRINKAGE, Shrunken, shrinkage_weight
from infocheck.stats.planted import Planted
from infocheck.stats.resampling import t_interval, wilson
from infocheck.stats.selectors import (
    correlation_q,
    partial_q,
    shuffled_correlations,
    shuffled_q,
)

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

NOMINAL = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
# Simulated networks, pairs in each, about, and limits to its targets.
REPLICATES, PAIRS, FEWEST, MOST = 8, 4_000, 15, 40
# Targets whose lasso paths are followed by one worker.
BATCH = 128
# Components that stand for a hidden factor.
COMPONENTS = (1, 5, 10)
# Step functions of single regulators that violate exchangeability most: this share of them,
# and no fewer than that.
WORST_SHARE, WORST_LEAST = 0.1, 10
# Pairs of regulators and real targets in which discoveries are counted, about, and the least
# number of targets.
REAL_PAIRS, REAL_LEAST = 100_000, 150

# Of the weight that estimates correlations best, the share that knockoffs are shrunk by: the
# more, the less they resemble the regulators' own rows. It costs power where rows are few.
KNOCKOFF_SHRINKAGE = 0.1

LINEAR, STEPS, WORST = "linear", "step functions", "worst step functions"
CORRELATION = "correlation, Benjamini-Hochberg"
PARTIAL = "partial correlation, empirical Bayes"
SHUFFLED = "lasso, shuffled targets"
TREE_SELECTOR = "trees, shuffled targets"
KNOCKOFFS = "knockoffs, "


@dataclass(frozen=True)
class Linear:
    """Linear targets, moved by a hidden factor as well where one is given.

    ``like`` (m,) are the sampled real targets that they are moved like; ``members`` the
    regulators that the planted ones are among, if not all.
    """

    planted: Planted
    like: np.ndarray
    hidden: Hidden | None = None
    members: np.ndarray | None = None

    @property
    def m(self) -> int:
        return len(self.like)

    @property
    def truth(self) -> np.ndarray:
        return self.planted.linear.toarray() != 0

    def values(self, z: np.ndarray, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Variance 1 in all: the factor's part takes the place of a part of the rest."""
        among = z if self.members is None else z[:, self.members]
        values = self.planted.linear_values(among, noise)
        if self.hidden is None:
            return values
        left = np.sqrt(np.maximum(1 - self.hidden.strength[self.like], 0.0))
        return left * values + self.hidden.part(z, rows, self.like)


@dataclass(frozen=True)
class Steps:
    """Step functions of a few regulators."""

    planted: Planted

    @property
    def m(self) -> int:
        return len(self.planted.share)

    @property
    def truth(self) -> np.ndarray:
        return self.planted.steps.toarray() != 0

    def values(self, z: np.ndarray, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return self.planted.step_values(z, noise)


@dataclass(frozen=True)
class Setting:
    """Regulators as they are, and targets that are simulated on them.

    Attributes
    ----------
    model
        Shrunken correlations of the regulators.
    knockoffs
        Of the same distribution.
    hidden
        Factors that stand for a hidden one.
    kinds
        Simulated targets by name.
    sums
        What the third pass kept.
    replicate
        Simulated network that a target belongs to, shape (m,).
    """

    model: Shrunken
    knockoffs: Gaussian
    hidden: list[Hidden]
    kinds: Mapping[str, Linear | Steps]
    sums: KnockoffSums
    replicate: np.ndarray

    @classmethod
    def of(cls, data: Dataset, rng: np.random.Generator) -> Setting:
        """Simulate targets and read the rows once more."""
        gram = data.moments.total().correlation()[:, : data.panel.p]
        weight = shrinkage_weight(data.moments.half(0, 0) + data.moments.half(0, 1))
        model, knockoffs = Shrunken.of(gram, weight), knockoffs_of(gram, weight)
        each = int(np.clip(PAIRS // data.panel.p, FEWEST, MOST))
        share, replicate = shares(data, gram, each, rng)
        kinds = {LINEAR: linear(data, gram, share, rng)}
        kinds[STEPS] = Steps(kinds[LINEAR].planted)
        hidden = hidden_factors(data)
        for factor in hidden:
            # A column may have any name, that of another kind of targets as well.
            kinds[f"{LINEAR}, {factor.name}"] = replace(kinds[LINEAR], hidden=factor)
        there = data.panel.targets
        few = min(len(there), max(REAL_PAIRS // data.panel.p, REAL_LEAST))
        real = np.sort(rng.choice(there, few, replace=False))
        sums = knockoff_pass(data, knockoffs, kinds, real, int(rng.integers(2**32)))
        return cls(model, knockoffs, hidden, kinds, sums, replicate)


def knockoffs_of(gram: np.ndarray, weight: float) -> Gaussian:
    """Knockoffs of regulators with these correlations.

    ``weight`` is the shrinkage under which the correlations are estimated best
    (Schäfer & Strimmer 2005); knockoffs are shrunk by a tenth of it.
    """
    sigma = (1 - max(KNOCKOFF_SHRINKAGE * weight, MIN_SHRINKAGE)) * gram
    np.fill_diagonal(sigma, 1.0)
    return Gaussian.of(sigma)


def shares(
    data: Dataset, gram: np.ndarray, each: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Explained variance of simulated targets, and the network that each belongs to.

    ``each`` is how many a network has.
    """
    panel = data.panel
    cross = data.moments.total().correlation()[:, panel.sampled]
    explained = heritability(gram, cross, data.n, panel.own)
    share = rng.choice(explained.grid, REPLICATES * each, p=explained.prior)
    return share, np.repeat(np.arange(REPLICATES), each)


def linear(
    data: Dataset,
    gram: np.ndarray,
    share: np.ndarray,
    rng: np.random.Generator,
    members: np.ndarray | None = None,
) -> Linear:
    """Linear targets of these regulators, with the regulators' correlations ``gram``."""
    planted = Planted.of(gram, share, rng)
    like = rng.integers(len(data.panel.sampled), size=len(share))
    return Linear(planted, like, members=members)


def hidden_factors(data: Dataset) -> list[Hidden]:
    """The strongest measured factor, if any moves the median target, then components."""
    first = strongest(data)
    moves = first.level is not None and np.median(first.strength) > 0
    found = [first] if moves else []
    return [*found, *components(data, tuple(k for k in COMPONENTS if k < data.panel.p))]


def select(
    products: Products,
    model: Shrunken,
    replicate: np.ndarray,
    rng: np.random.Generator,
    engine_map: Callable,
) -> dict[str, np.ndarray]:
    """What every selector says of every pair: q-values by name, each of shape (p, m).

    Parameters
    ----------
    products
        Correlations of regulators, knockoffs and targets.
    model
        Shrunken correlations of the regulators.
    replicate
        Networks that are judged on their own, shape (m,).
    rng
        Draws shuffled targets.
    engine_map
        Runs batches of targets.
    """
    p, n = len(model.omega), products.rows
    m = products.cross.shape[1]
    r, nobody = products.cross[:p], np.full(m, -1)
    w = {
        "marginal": knockoff_statistics.marginal(products),
        "ridge": knockoff_statistics.ridge(products),
    }
    gram = products.gram[:p, :p]
    shuffled = shuffled_correlations(gram, n, m, rng)

    def follow(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        part = replace(products, cross=products.cross[:, batch])
        return (
            knockoff_statistics.lasso(part),
            knockoff_statistics.coefficient(part),
            np.maximum(entry_scores(gram, r[:, batch]), 0.0),
            np.maximum(entry_scores(gram, shuffled[:, batch]), 0.0),
        )

    parts = engine_map(follow, np.array_split(np.arange(m), max(1, m // BATCH)))
    w["lasso"], w["coefficient"], entry, null = map(np.hstack, zip(*parts, strict=True))
    selectors: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        CORRELATION: lambda c: correlation_q(r[:, c], n),
        PARTIAL: lambda c: partial_q(model, r[:, c], n, nobody[c]),
        SHUFFLED: lambda c: shuffled_q(entry[:, c], null[:, c]),
    }
    for statistic, values in w.items():
        selectors[KNOCKOFFS + statistic] = lambda c, values=values: q_values(values[:, c])
    return {name: by_network(replicate, of) for name, of in selectors.items()}


def by_network(replicate: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """q-values of all columns, each simulated network on its own, shape (p, m).

    ``of`` makes those of some columns, (p, k).
    """
    numbers = np.unique(replicate)
    parts = [np.flatnonzero(replicate == number) for number in numbers]
    q = np.hstack([of(columns) for columns in parts])
    return q[:, np.argsort(np.concatenate(parts), kind="stable")]


def curves(setting: Setting, rng: np.random.Generator, engine_map: Callable) -> pd.DataFrame:
    """Realised false discovery rate and power of every selector on every kind of target."""
    parts = [setting.sums.products(kind) for kind in setting.kinds]
    together = replace(parts[0], cross=np.hstack([part.cross for part in parts]))
    m, networks = len(setting.replicate), int(setting.replicate.max()) + 1
    network = np.concatenate([i * networks + setting.replicate for i in range(len(parts))])
    selected = select(together, setting.model, network, rng, engine_map)
    records = []
    for number, (kind, targets) in enumerate(setting.kinds.items()):
        hidden = targets.hidden.name if isinstance(targets, Linear) and targets.hidden else ""
        label = {"targets": LINEAR if hidden else kind, "hidden": hidden}
        here = slice(number * m, (number + 1) * m)
        for selector, q in selected.items():
            found = rate_curve(q[:, here], targets.truth, setting.replicate)
            records += [{"selector": selector, **label, **record} for record in found]
    return pd.concat([pd.DataFrame(records), _worst(setting)], ignore_index=True)


def rate_curve(q: np.ndarray, truth: np.ndarray, replicate: np.ndarray) -> list[dict[str, float]]:
    """One record a nominal rate, over the replicates."""
    parts = [replicate == number for number in np.unique(replicate)]
    found, true = (
        np.array(counts)
        for counts in zip(
            *(realised(q[:, part], truth[:, part], NOMINAL) for part in parts), strict=True
        )
    )
    edges = np.array([truth[:, part].sum() for part in parts])
    targets = np.array([part.sum() for part in parts])
    wrong, power = fdp(found, true), true / np.maximum(edges, 1)[:, None]
    return [
        {
            "nominal": level,
            **_interval("realised", wrong[:, k]),
            **_interval("power", power[:, k]),
            "found_per_target": float((found[:, k] / targets).mean()),
            "empty": float((found[:, k] == 0).mean()),
        }
        for k, level in enumerate(NOMINAL)
    ]


def _interval(name: str, values: np.ndarray) -> dict[str, float]:
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    low, high = t_interval(mean, error, len(values), (0.0, 1.0))
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _worst(setting: Setting) -> pd.DataFrame:
    """Knockoffs on the step functions that violate their assumption most.

    Chosen on one half of the rows, judged on the other, and the other way round. A step
    function of one regulator says nothing of the others that their knockoffs do not say as
    well, if knockoffs are what they should be; those are chosen whose correlations exceed
    those of the knockoffs most.
    """
    found = {name: np.zeros((2, len(NOMINAL))) for name in ("marginal", "ridge")}
    edges = 0
    for judged in (0, 1):
        chooser = 1 - judged
        chosen = _violators(products(setting.sums.halves[chooser], setting.sums.steps[chooser]))
        judge = products(setting.sums.halves[judged], setting.sums.steps[judged])
        part = Products(judge.gram, judge.cross[:, chosen], rows=judge.rows)
        truth = np.zeros((len(judge.gram) // 2, len(chosen)), dtype=bool)
        truth[chosen, np.arange(len(chosen))] = True
        edges += len(chosen)
        for name, counts in found.items():
            w = knockoff_statistics.STATISTICS[name](part)
            counts += realised(q_values(w), truth, NOMINAL)
    return pd.concat(
        [
            counted(KNOCKOFFS + name, WORST, "", all_, true, edges=edges, targets=edges)
            for name, (all_, true) in found.items()
        ],
        ignore_index=True,
    )


def counted(
    selector: str,
    kind: str,
    hidden: str,
    found: np.ndarray,
    true: np.ndarray,
    *,
    edges: int,
    targets: int,
) -> pd.DataFrame:
    """Rows of the curve of one simulated network, with binomial intervals."""
    low, high = wilson(found - true, found)
    power_low, power_high = wilson(true, np.full(len(true), edges))
    return pd.DataFrame(
        {
            "selector": selector,
            "targets": kind,
            "hidden": hidden,
            "nominal": NOMINAL,
            "realised": fdp(found, true),
            "realised_low": np.where(found > 0, low, 0.0),
            "realised_high": np.where(found > 0, high, 0.0),
            "power": true / max(edges, 1),
            "power_low": power_low,
            "power_high": power_high,
            "found_per_target": found / max(targets, 1),
            "empty": (found == 0).astype(float),
        }
    )


def _violators(products: Products) -> np.ndarray:
    """Regulators whose step functions tell other regulators from their knockoffs."""
    w = knockoff_statistics.marginal(products)
    np.fill_diagonal(w, 0.0)
    number = min(len(w), max(WORST_LEAST, int(np.ceil(WORST_SHARE * len(w)))))
    return np.sort(np.argsort(-w.sum(axis=0), kind="stable")[:number])


def discoveries(setting: Setting, rng: np.random.Generator, engine_map: Callable) -> pd.DataFrame:
    """What every selector finds among real targets that are no regulators."""
    found = setting.sums.products("real")
    network = np.zeros(found.cross.shape[1], int)
    return counts(select(found, setting.model, network, rng, engine_map))


def counts(selected: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Discoveries of every selector at every nominal rate; q-values by selector, (p, m)."""
    return pd.DataFrame(
        [
            {
                "selector": selector,
                "nominal": level,
                "found": int(number),
                "targets": q.shape[1],
                "pairs": int(np.isfinite(q).sum()),
            }
            for selector, q in selected.items()
            for level, number in zip(NOMINAL, _found(q), strict=True)
        ]
    )


def _found(q: np.ndarray) -> np.ndarray:
    return realised(q, np.zeros(q.shape, bool), NOMINAL)[0]
