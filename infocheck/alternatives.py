"""Other studies than this one: what a power simulation compares the data at hand with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck.hidden import strongest
from infocheck.independence import effective_size, with_more_cells
from infocheck.proxies import coupling
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
# Assumed of mRNA and activity where nothing beside expression tells.
COUPLINGS = (0.9, 0.6, 0.3)


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
    hidden = strongest(data).name
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
        *_coupled(data, rows),
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
    hidden = strongest(data)
    return World(
        gram=gram,
        shrinkage=shrinkage,
        rows=rows,
        shares=shares,
        weights=weights,
        reliability=reliability[: panel.p],
        target_reliability=reliability[panel.sampled],
        shared=hidden.shared,
        strength=hidden.strength,
        perturbations=Perturbations(shift=SHIFT, rows=_perturbed_rows(rows), controls=rows),
    )


def _coupled(data: Dataset, rows: float) -> list[Alternative]:
    """mRNA that follows activity in part: both ends of the measured range, else assumptions."""
    found = coupling.of(data)
    if found.is_assessed:
        least, _, most = found.strength
        ends = {f"{value:.2f}": value for value in (most, least)}
        named = {f"{shown} (measured)": value for shown, value in ends.items()}
    else:
        named = {str(value): value for value in COUPLINGS}
    return [
        Alternative(
            f"mRNA follows the regulator's activity with a correlation of {shown}",
            MAY_BE,
            Scenario(rows, coupling=value),
        )
        for shown, value in named.items()
    ]


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
