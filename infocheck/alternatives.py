"""Other studies than this one: what a power simulation compares the data at hand with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck.independence import effective_size, with_more_cells
from infocheck.stats.scenarios import Perturbations, Prior, Scenario, World

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

MEASURED = "as measured"
# What one can do, and what may be so without anyone seeing it.
DO, MAY_BE = "do", "may be"

# Assumed of regulators that would be perturbed: how many, in how many of the observations
# that there are (each, at least three), and by how much, in standard deviations.
PERTURBED, PERTURBED_SHARE, SHIFT = 20, 0.05, 2.0
# Assumed of a prior network (conventions).
PRIOR = Prior(precision=0.5, recall=0.5)
COUPLINGS = (0.9, 0.6, 0.3)
# Factors that may stand for a hidden one.
FACTORS = ("batch", "donor", "condition", "cell_type")


@dataclass(frozen=True)
class Alternative:
    """A study that differs from this one in one thing.

    ``scenario`` is None where the data do not say what it would be like; ``missing``
    says why.
    """

    name: str
    kind: str
    scenario: Scenario | None
    missing: str = ""


def alternatives(data: Dataset) -> list[Alternative]:
    """The study as it is, what could be done, and what may be so."""
    rows, p = effective_size(data), data.panel.p
    perturbed = min(PERTURBED, p)
    each = _perturbed_rows(rows)
    hidden = _strongest(data)[0]
    return [
        Alternative(MEASURED, "", Scenario(rows)),
        _deeper(data, rows),
        *_larger(data, rows),
        Alternative(
            f"{perturbed} regulators perturbed, {each:.0f} observations each",
            DO,
            Scenario(rows, perturbed=perturbed),
        ),
        Alternative(
            f"A prior network ({PRIOR.precision:.0%} of it true, {PRIOR.recall:.0%} of the truth "
            "in it)",
            DO,
            Scenario(rows, prior=PRIOR),
        ),
        Alternative(
            f"A hidden factor as strong as {hidden}", MAY_BE, Scenario(rows, confounded=True)
        ),
        *(
            Alternative(
                f"mRNA follows the regulator's activity with a correlation of {coupling}",
                MAY_BE,
                Scenario(rows, coupling=coupling),
            )
            for coupling in COUPLINGS
        ),
    ]


def world(
    data: Dataset, gram: np.ndarray, shrinkage: float, shares: np.ndarray, weights: np.ndarray
) -> World:
    """What the data say of regulators, targets and their noise.

    Parameters
    ----------
    data
        With moments.
    gram, shrinkage
        Correlations of regulators, (p, p), and the weight of their shrinkage.
    shares, weights
        Distribution over targets of the variance that regulators explain.
    """
    panel = data.panel
    # 1 where nothing is known of the noise.
    noise = data.moments.technical
    reliability = noise.reliability() if noise else np.ones(len(panel.genes))
    rows = effective_size(data)
    _, shared, strength = _strongest(data)
    return World(
        gram=gram,
        shrinkage=shrinkage,
        rows=rows,
        shares=shares,
        weights=weights,
        reliability=reliability[: panel.p],
        target_reliability=reliability[panel.sampled],
        shared=shared,
        strength=strength,
        perturbations=Perturbations(shift=SHIFT, rows=_perturbed_rows(rows), controls=rows),
    )


def _perturbed_rows(rows: float) -> float:
    return max(3.0, np.floor(PERTURBED_SHARE * rows))


def _deeper(data: Dataset, rows: float) -> Alternative:
    name = "Twice the UMIs per cell"
    if data.moments.technical is None:
        return Alternative(
            name, DO, None, "Counting noise is known of raw counts alone, and these are none."
        )
    return Alternative(name, DO, Scenario(rows, depth=2.0))


def _larger(data: Dataset, rows: float) -> list[Alternative]:
    if "donor" not in data.roles:
        return [
            Alternative("Twice the observations", DO, Scenario(2 * rows)),
            Alternative(
                "Twice the donors",
                DO,
                None,
                "Donors are not labelled, so nobody knows which observations are independent.",
            ),
        ]
    return [
        Alternative("Twice the cells of the same donors", DO, Scenario(with_more_cells(data, 2.0))),
        Alternative("Twice the donors", DO, Scenario(2 * rows)),
    ]


def _strongest(data: Dataset) -> tuple[str, np.ndarray, np.ndarray]:
    """The measured factor that moves the median target most, else the first component.

    Returns its name, the covariance of regulators with its part in each sampled target,
    (p, m), and the variance of that part, (m,).
    """
    found = [_of_factor(data, name) for name in FACTORS if name in data.roles]
    if found:
        return max(found, key=lambda factor: float(np.median(factor[2])))
    panel = data.panel
    correlation = data.moments.total().correlation()
    values, vectors = np.linalg.eigh(correlation[:, : panel.p])
    first = vectors[:, -1]
    loading = first @ correlation[:, panel.sampled] / np.sqrt(values[-1])
    shared = np.sqrt(values[-1]) * np.outer(first, loading)
    return "the first principal component of the regulators", shared, loading**2


def _of_factor(data: Dataset, name: str) -> tuple[str, np.ndarray, np.ndarray]:
    """From the means of its levels, in standard deviations of each gene."""
    sums, total = data.moments.levels[name], data.moments.total()
    n = sums.n.sum(axis=0)
    sd = np.sqrt(total.variance())
    used = n > 0
    n = n[used]
    centred = sums.total.sum(axis=0)[used] / n[:, None] - total.mean()
    means = np.divide(centred, sd, out=np.zeros_like(centred), where=sd > 0)
    weight = n / n.sum()
    regulators, targets = means[:, : data.panel.p], means[:, data.panel.sampled]
    raw = weight @ targets**2
    # Level means differ by chance as well.
    chance = (len(n) - 1) / max(data.n - 1, 1)
    strength = np.maximum((raw - chance) / max(1 - chance, 1e-12), 0.0)
    kept = np.sqrt(np.divide(strength, raw, out=np.zeros_like(raw), where=raw > 0))
    shared = (regulators * weight[:, None]).T @ targets * kept
    return data.roles[name].column, shared, strength
