"""Which genes enter the network statistics: regulators, targets, a stability sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from infocheck.errors import InputError
from infocheck.values import COUNTS, NON_INTEGER, Scan

MAX_REGULATORS = 1000
TARGETS = 2000
# Genes that are measured for the sake of other evidence, such as those of proteins.
MAX_FURTHER = 3000
STABILITY_TARGETS = 150
# When every gene may regulate, targets are regulators too, and fewer are enough.
STABILITY_TARGETS_ALL = 24
# Overdispersion of the null in the variance of Pearson residuals (Lause et al. 2021).
_THETA = 100.0


@dataclass(frozen=True)
class Panel:
    """Genes of the Gram matrices; regulators come first.

    Attributes
    ----------
    genes
        Positions among all genes, shape (g,).
    p
        Number of regulators.
    targets
        Positions in the panel of the over-dispersed targets.
    sampled
        Positions in the panel of the random targets that stability is judged on.
    candidates
        Number of genes that the stability sample was drawn from.
    expressed
        Positions in the panel of all regulators that vary: the first p, and those
        beyond the cap of 1,000, which are measured but are no predictors.
    """

    genes: np.ndarray
    p: int
    targets: np.ndarray
    sampled: np.ndarray
    candidates: int
    expressed: np.ndarray

    @property
    def half_columns(self) -> np.ndarray:
        """Panel positions that the halves need: regulators, then other sampled targets."""
        return np.concatenate([np.arange(self.p), self.sampled[self.sampled >= self.p]])

    @property
    def half_targets(self) -> np.ndarray:
        """Positions of the sampled targets among ``half_columns``."""
        outside = np.cumsum(self.sampled >= self.p) - 1
        return np.where(self.sampled < self.p, self.sampled, self.p + outside)

    @property
    def own(self) -> np.ndarray:
        """For each sampled target its position among the regulators, or -1."""
        return np.where(self.sampled < self.p, self.sampled, -1)

    def positions(self, genes: np.ndarray) -> np.ndarray:
        """Panel positions of genes that are in the panel."""
        order = np.argsort(self.genes)
        return order[np.searchsorted(self.genes, genes, sorter=order)]

    def with_genes(self, genes: np.ndarray) -> Panel:
        """The same panel with further genes behind those that it has."""
        return replace(self, genes=np.append(self.genes, np.setdiff1d(genes, self.genes)))


def choose(
    scan: Scan,
    regulator: np.ndarray,
    genes: np.ndarray,
    targets: int | str | Path | None,
    rng: np.random.Generator,
    also: np.ndarray | None = None,
) -> Panel:
    """Choose the panel.

    Parameters
    ----------
    scan
        The first pass.
    regulator
        Which genes are candidate regulators, shape (genes,).
    genes
        Gene names.
    targets
        How many over-dispersed targets, ``all``, or a file of names; None is 2,000.
    rng
        Draws the stability sample.
    also
        Which further genes other evidence needs, shape (genes,); the most over-dispersed
        of them are measured, and enter no network statistic.
    """
    varies = scan.varies
    spread = dispersion(scan)
    expressed = np.flatnonzero(regulator & varies)
    others = np.flatnonzero(~regulator & varies)
    regulators = np.sort(_largest(expressed, spread, MAX_REGULATORS))
    chosen = _targets(others, regulator & varies, spread, genes, targets)
    candidates = others if len(others) else regulators
    size = STABILITY_TARGETS if len(others) else STABILITY_TARGETS_ALL
    sampled = np.sort(rng.choice(candidates, min(size, len(candidates)), replace=False))
    further = np.flatnonzero(also & varies) if also is not None else expressed
    further = _largest(further, spread, MAX_FURTHER)
    rest = np.setdiff1d(np.concatenate([chosen, sampled, expressed, further]), regulators)
    panel = np.concatenate([regulators, rest]).astype(np.int64)
    position = np.full(len(genes), -1)
    position[panel] = np.arange(len(panel))
    return Panel(
        genes=panel,
        p=len(regulators),
        targets=position[chosen],
        sampled=position[sampled],
        candidates=len(candidates),
        expressed=position[expressed],
    )


def dispersion(scan: Scan) -> np.ndarray:
    """How much a gene varies beyond what its level explains, shape (genes,).

    Counts: variance of c/s over Poisson noise plus mean²/100, the variance of
    Pearson residuals. Other non-negative counts-like values: variance over mean
    squared. Else the variance of the values as they are.
    """
    if scan.kind not in (COUNTS, NON_INTEGER):
        return scan.variance
    n, total, squares, noise = scan.normalised()
    mean = total / n
    variance = squares / n - mean**2
    expected = mean**2 / _THETA + (noise / n if scan.kind == COUNTS else 0)
    return np.divide(variance, expected, out=np.zeros_like(mean), where=expected > 0)


def _largest(candidates: np.ndarray, by: np.ndarray, count: int) -> np.ndarray:
    return candidates[np.argsort(-by[candidates], kind="stable")[:count]]


def _targets(
    others: np.ndarray,
    is_regulator: np.ndarray,
    spread: np.ndarray,
    genes: np.ndarray,
    targets: int | str | Path | None,
) -> np.ndarray:
    if targets is None:
        return np.sort(_largest(others, spread, TARGETS))
    text = str(targets)
    if text == "all":
        return others
    if text.lstrip("-").isdigit():
        if int(text) < 1:
            raise InputError(f"--targets {text}: give a number of at least 1, 'all', or a file.")
        return np.sort(_largest(others, spread, int(text)))
    path = Path(text)
    if not path.is_file():
        raise InputError(f"--targets {text}: no such file; give a number, 'all', or a file.")
    names = path.read_text(encoding="utf-8-sig", errors="replace").split()
    found = others[np.isin(genes[others], names)]
    if not len(found) and not (is_regulator & np.isin(genes, names)).any():
        raise InputError(f"--targets {path.name}: none of its {len(names)} names is in the data.")
    return found
