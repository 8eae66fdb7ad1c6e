"""From a sequencing plan to what reaches the statistics: counts, cells, independent rows."""

from __future__ import annotations

import numpy as np

from infocheck.stats.clustering import effective_size_of_design

# Share of barcodes with two cells per 1,000 recovered cells of a channel. A convention:
# about what vendors of droplet instruments state; newer chips have half of it.
DOUBLETS_PER_THOUSAND = 0.008

Numbers = np.ndarray | float


def umis_from_reads(reads: Numbers, molecules: Numbers, unevenness: Numbers = 0.0) -> np.ndarray:
    """Molecules that are seen at least once in so many reads, broadcast.

    Reads fall on the molecules of the library, more often on those that were amplified
    more. With gamma amplification of squared coefficient of variation v and
    ``x = reads / molecules`` on average, a molecule stays unseen with probability
    ``(1 + v x)^(-1/v)``, ``exp(-x)`` for v = 0.

    Parameters
    ----------
    reads
        Usable reads per cell: mapped to genes, in cells.
    molecules
        Distinct molecules of the cell's library, above 0.
    unevenness
        v, at least 0. 0 is even amplification, the usual assumption.

    Returns
    -------
    numpy.ndarray
        UMIs per cell, below both ``reads`` and ``molecules``.

    Notes
    -----
    Misleads with raw reads of the machine, of which a third or more is lost, and far
    beyond the depth of the pilot if amplification is uneven and v is taken as 0.
    Source: Lander and Waterman (1988) for v = 0; the gamma form was derived for this
    project.
    """
    return np.asarray(molecules) * _seen(np.divide(reads, molecules), unevenness)


def doublet_share(
    cells: Numbers, channels: Numbers = 1, per_thousand: Numbers = DOUBLETS_PER_THOUSAND
) -> np.ndarray:
    """Share of barcodes that hold two cells, linear in recovered cells per channel.

    Parameters
    ----------
    cells
        Recovered cells, all channels together.
    channels
        Channels that they are spread over evenly.
    per_thousand
        Share per 1,000 recovered cells of a channel; ask the vendor of the instrument.

    Returns
    -------
    numpy.ndarray
        In [0, 1].

    Notes
    -----
    A convention, not an estimate. Misleads above about 20,000 cells per channel, where
    the relation bends. Doublets of one type cannot be seen in the data and stay.
    """
    return np.minimum(np.divide(cells, channels) / 1000 * np.asarray(per_thousand), 1.0)


def singlets(
    cells: Numbers, channels: Numbers = 1, per_thousand: Numbers = DOUBLETS_PER_THOUSAND
) -> np.ndarray:
    """Cells that are left when all doublets are known and dropped."""
    return np.asarray(cells) * (1 - doublet_share(cells, channels, per_thousand))


def reliability(mean: Numbers, cv2: Numbers) -> np.ndarray:
    """Reliability of Poisson counts around a rate that varies from cell to cell, broadcast.

    ``cv2 · mean / (1 + cv2 · mean)``: the variance of the rate is ``cv2 · mean²``, that
    of counting is the mean.

    Parameters
    ----------
    mean
        Expected counts of the gene per cell, at least 0.
    cv2
        Squared coefficient of variation of the true rate, at least 0:
        ``exp(sd²) - 1`` if its natural logarithm is normal with that sd.

    Returns
    -------
    numpy.ndarray
        In [0, 1).

    Notes
    -----
    Of counts per cell of equal size. Misleads where cells differ much in size, and where
    counts are noisier than Poisson. Same curve as
    :func:`infocheck.stats.reliability.at_depth` in the depth.
    """
    signal = np.multiply(cv2, mean)
    return signal / (1 + signal)


def observed_icc(icc: Numbers, reliability: Numbers) -> np.ndarray:
    """Intraclass correlation of noisy values: biological one times reliability, broadcast.

    Noise of counting differs from cell to cell also within a donor, so it adds to the
    whole variance and not to that between donors.
    """
    return np.multiply(icc, reliability)


def effective_rows(
    donors: Numbers,
    cells: Numbers,
    icc_a: Numbers,
    icc_b: Numbers,
    unevenness: Numbers = 0.0,
) -> np.ndarray:
    """Independent observations that cells of donors amount to for one edge, broadcast.

    ``N / (1 + (m0 - 1) icc_a icc_b)``, see
    :func:`infocheck.stats.clustering.effective_size`.

    Parameters
    ----------
    donors
        Number of donors.
    cells
        Mean cells per donor of the type that is studied.
    icc_a, icc_b
        Intraclass correlations by donor of both genes as measured
        (:func:`observed_icc`); negative ones count as 0.
    unevenness
        Squared coefficient of variation of cells per donor: ``m0 = cells (1 + it)``.

    Returns
    -------
    numpy.ndarray
        Between ``donors / (1 + unevenness)`` and ``donors · cells``. With ever more cells
        per donor it ends at ``donors / ((1 + unevenness) icc_a icc_b)``.

    Notes
    -----
    Both genes vary within donors. A gene that is fixed within donors has
    an intraclass correlation of 1. About 10 % too small below ten donors.
    """
    product = np.multiply(np.maximum(icc_a, 0.0), np.maximum(icc_b, 0.0))
    per_level = np.maximum(np.multiply(cells, 1 + np.asarray(unevenness)), 1.0)
    return effective_size_of_design(np.multiply(donors, cells), per_level, product)


def _seen(x: np.ndarray, v: Numbers) -> np.ndarray:
    """Probability that a molecule with x reads on average has at least one."""
    x, v = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(v, dtype=float))
    even = v < 1e-9
    rate = np.where(even, x, np.log1p(v * x) / np.where(even, 1.0, v))
    return -np.expm1(-rate)
