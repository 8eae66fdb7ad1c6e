"""From a pilot data set to the system that a study is planned on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.stats import norm

from infocheck import thresholds
from infocheck.planning.system import FIELDS, INTENSITY, READS, UMIS, Field, System
from infocheck.stats import clustering
from infocheck.stats.heritability import heritability
from infocheck.stats.overdispersion import Line, fit_line, squared_cv
from infocheck.stats.resampling import jackknife_error
from infocheck.values import WORDS

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.stats.sums import CrossSums

# Genes seen in fewer of the rows are no candidates for a network.
DETECTED = 0.01
# Totals beyond this are those of bulk libraries.
BULK_TOTAL = 100_000
# Genes of a kind, evenly spaced in their level, that a line of variation is fitted to.
LINE_GENES = 2000
# Rows per regulator below which what the others explain of one cannot be estimated.
ROWS_PER_REGULATOR = 5
# Nothing is divided by a reliability below this.
DIVISIBLE = 0.1
_Z = float(norm.ppf(0.975))

# What a pilot cannot tell. The ranges are conventions and stand on the page as assumed.
ASSUMED = {
    "icc": (0.02, 0.05, 0.20),
    "umis_at_saturation": (1.2, 2.0, 4.0),  # times the UMIs of the pilot
    "doublets_per_thousand": (0.004, 0.008, 0.010),
    "regulator_reliability": (0.5, 0.8, 0.95),
    "target_reliability": (0.5, 0.8, 0.95),
    "reliability_sd": (0.5, 0.8, 1.2),
    "edge_spread": (0.2, 0.5, 1.0),
    "regulator_r2": (0.0, 0.3, 0.6),
    "regulator_correlation": (0.0, 0.05, 0.2),
}
COSTS = {
    UMIS: {"donor": 500.0, "cell": 0.15, "read": 4e-6},
    READS: {"donor": 100.0, "cell": 150.0, "read": 4e-6},
    INTENSITY: {"donor": 100.0, "cell": 200.0, "read": 0.0},
}
GRIDS = {
    UMIS: {"donors": "4:40", "cells": "50:2000", "depth": "1000:50000"},
    READS: {"donors": "20:1000", "cells": "1", "depth": "1000000:50000000"},
    INTENSITY: {"donors": "20:1000", "cells": "1"},
}


@dataclass(frozen=True)
class _Sums:
    """Sums of c/s, (c/s)² and c/s² of every gene, by jackknife group and cell type of rows."""

    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    noise: np.ndarray


def measure(data: Dataset) -> System:
    """Measure a system on a pilot.

    Parameters
    ----------
    data
        The pilot, with its sums of the second pass.

    Returns
    -------
    System
        Every field with the range that the pilot gives it (jackknife over independent
        groups of rows, whole donors where at least six are labelled), or with a range
        that is assumed, where the pilot cannot tell.
    """
    if data.is_counts:
        fields, regulators, targets, notes = _counted(data)
        kind = READS if _typical_total(data) >= BULK_TOTAL else UMIS
    else:
        fields, notes, kind = {}, [_no_counts(data)], INTENSITY
        regulators, targets = len(data.panel.expressed), len(data.panel.targets)
    reliability = _reliabilities(data)
    fields |= _between_donors(data, reliability) | _between_regulators(data, reliability)
    return System(
        name=data.name,
        title=f"pilot {data.name}",
        organism="of the pilot",
        assay=WORDS[data.kind],
        kind=kind,
        donor="donor",
        row="cell" if kind == UMIS else "sample",
        regulators=regulators,
        targets=max(targets, 1),
        fields={name: fields.get(name) or assumed(name, data) for name in FIELDS[kind]},
        costs=COSTS[kind],
        grid=GRIDS[kind],
        notes=tuple(notes),
        pilot={
            "sha256": data.sha256,
            "rows": data.n,
            "genes": data.n_vars,
            "donors": data.labelled_donors,
            "simulated": data.simulated,
            "depth": _typical_total(data) if data.is_counts else None,
        },
    )


def assumed(name: str, data: Dataset | None = None) -> Field:
    """What is assumed of a field that the data cannot give."""
    numbers, why = ASSUMED[name], "a convention; data of this kind do not give it"
    if name == "umis_at_saturation" and data is not None:
        seen = _typical_total(data)
        numbers = tuple(times * seen for times in numbers)
        why = f"1.2, 2 and 4 times the {seen:,.0f} UMIs per cell of the pilot"
    elif name == "icc" and data is not None:
        count = data.labelled_donors or "no"
        why = f"{count} donors are labelled; at least {thresholds.MIN_DONORS} are needed to measure"
    elif name == "edge_spread":
        why = "a convention: no study at hand measures how edges differ between donors"
    elif name == "doublets_per_thousand":
        why = "about what vendors of droplet instruments state"
    return Field(*numbers, "assumed", why)


def _no_counts(data: Dataset) -> str:
    return (
        f"The pilot holds {WORDS[data.kind]}: counting noise cannot be told from biology, so "
        "depth is no axis here and reliability is assumed."
    )


def _typical_total(data: Dataset) -> float:
    return float(np.median(data.scan.totals[data.kept]))


# --- genes: level, variation ---------------------------------------------------------------


def _counted(data: Dataset) -> tuple[dict[str, Field], int, int, list[str]]:
    seen = data.scan.detected / data.n_obs >= DETECTED
    group, n_groups = data.splits.group, data.splits.n_groups
    role = data.roles.get("cell_type")
    within = role is not None and role.n_levels > 1
    types = role.complete() if within and role is not None else np.zeros(data.n, np.int64)
    levels = int(types.max()) + 1
    sums = _gene_sums(data, group * levels + types, n_groups * levels)
    source = f"{data.name}: {data.n:,} rows"
    if data.splits.kind == "donors":
        source += f" of {data.labelled_donors} donors"
    notes = []
    if within:
        source += ", within cell types"
        notes.append("Variation is that within the labelled cell types.")
    fields, counts = {}, {}
    for who, mask in (("regulator", data.regulator), ("target", ~data.regulator)):
        chosen = np.flatnonzero(mask & seen & data.scan.varies)
        if len(chosen) < 5:  # too few to be choosy
            chosen = np.flatnonzero(mask & data.scan.varies)
        if len(chosen) < 5:  # every gene is a candidate regulator, or next to none
            chosen = np.flatnonzero(seen & data.scan.varies)
        if len(chosen) < 5:
            chosen = np.flatnonzero(data.scan.varies)
        counts[who] = len(chosen)
        fields |= _gene_fields(who, sums, chosen, levels, _typical_total(data), source)
    return fields, counts["regulator"], counts["target"], notes


def _gene_sums(data: Dataset, code: np.ndarray, codes: int) -> _Sums:
    """One more pass over the rows, for every gene and not the panel alone."""
    g = data.n_vars
    parts = np.zeros((3, codes, g))
    seen = 0
    for offset, block in data.matrix.blocks():
        block = block[data.kept[offset : offset + block.shape[0]]]
        rows = np.arange(seen, seen + block.shape[0])
        seen += len(rows)
        if not len(rows):
            continue
        factor = data.size_factors[rows]
        share = sp.csr_matrix(block).astype(np.float64).multiply(1 / factor[:, None]).tocsr()
        which = sp.csr_matrix(
            (np.ones(len(rows)), (code[rows], np.arange(len(rows)))), (codes, len(rows))
        )
        for part, values in zip(
            parts, (share, share.multiply(share), share.multiply(1 / factor[:, None])), strict=True
        ):
            part += np.asarray((which @ values.tocsr()).todense())
    n = np.bincount(code, minlength=codes).astype(float)
    return _Sums(n, *parts)


def _gene_fields(
    who: str, sums: _Sums, chosen: np.ndarray, levels: int, depth: float, source: str
) -> dict[str, Field]:
    """Level and variation of the chosen genes, with jackknife ranges."""
    n = sums.n.reshape(-1, levels)
    n_groups = len(n)
    order = chosen[np.argsort(sums.total[:, chosen].sum(axis=0), kind="stable")]
    chosen = order[np.unique(np.linspace(0, len(order) - 1, LINE_GENES).astype(int))]
    total, squares, noise = (
        part[:, chosen].reshape(n_groups, levels, len(chosen))
        for part in (sums.total, sums.squares, sums.noise)
    )

    def line(keep: np.ndarray, start: Line | None) -> tuple[np.ndarray, Line]:
        rows = n[keep].sum(axis=0)
        parts = [part[keep].sum(axis=0) for part in (total, squares, noise)]
        mean, cv2 = _within(rows, *parts)
        found = fit_line(mean, cv2, float(rows.sum()), start=start)
        level = np.log(mean[mean > 0] / depth)
        intercept = found.intercept + found.slope * (level.mean() + math.log(depth) - found.centre)
        return np.array([level.mean(), level.std(), intercept, found.slope, found.sd]), found

    everything = np.arange(n_groups)
    whole, fit = line(everything, None)
    without = np.stack([line(everything != g, fit)[0] for g in everything])
    error = jackknife_error(without)
    names = [
        f"{who}_{part}"
        for part in ("log_share", "log_share_sd", "log_cv2", "log_cv2_slope", "log_cv2_sd")
    ]
    words = FIELDS[UMIS]
    found = {}
    for name, value, spread in zip(names, whole, error, strict=True):
        least, most = words[name].least, words[name].most
        value = min(max(float(value), least), most)
        low, high = max(value - _Z * spread, least), min(value + _Z * spread, most)
        numbers = (float(low), value, float(high))
        found[name] = Field(*numbers, "measured", f"{source}, {len(chosen):,} genes")
    return found


def _within(
    n: np.ndarray, total: np.ndarray, squares: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and CV² with differences between strata (first axis) taken out of the CV²."""
    used = n >= 2
    n, total, squares, noise = n[used], total[used], squares[used], noise[used]
    mean, plain = squared_cv(n.sum(), total.sum(axis=0), squares.sum(axis=0), noise.sum(axis=0))
    if len(n) == 1:
        return mean, plain
    inside = (squares - total**2 / n[:, None]).sum(axis=0) / (n.sum() - len(n))
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean, np.where(mean > 0, (inside - noise.sum(axis=0) / n.sum()) / mean**2, np.nan)


# --- donors and regulators -----------------------------------------------------------------


def _reliabilities(data: Dataset) -> np.ndarray:
    """Reliability of every gene of the panel; what is assumed of all without counts."""
    sums = data.moments.technical
    if sums is None:
        return np.full(len(data.panel.genes), ASSUMED["regulator_reliability"][1])
    return sums.reliability()


def _between_donors(data: Dataset, reliability: np.ndarray) -> dict[str, Field]:
    """Intraclass correlation free of noise, from at least six labelled donors."""
    if data.labelled_donors < thresholds.MIN_DONORS:
        return {}
    genes = np.unique(np.concatenate([data.panel.expressed, data.panel.sampled]))
    genes = genes[reliability[genes] >= 2 * DIVISIBLE]
    sums = data.moments.levels["donor"]
    n, total, squares = (
        sums.n.sum(axis=0)[:-1],
        sums.total.sum(axis=0)[:-1][:, genes],
        sums.squares[:-1][:, genes],
    )
    if len(genes) < 5 or n.sum() <= len(n):
        return {}

    def of(kept: np.ndarray) -> np.ndarray:
        plain = clustering.intraclass_correlation(n[kept], total[kept], squares[kept].sum(axis=0))
        value = np.nanmedian(clustering.corrected(plain, n[kept]) / reliability[genes])
        return np.log(np.clip(value, 1e-3, 0.999))

    everything = np.arange(len(n))
    whole = float(of(everything))
    error = float(jackknife_error(np.array([of(everything != j) for j in everything])))
    low, high = (math.exp(whole + step * _Z * error) for step in (-1, 1))
    source = f"{data.name}: {len(n)} donors, median of {len(genes):,} readable genes"
    return {"icc": Field(max(low, 1e-4), math.exp(whole), min(high, 1.0), "measured", source)}


def _between_regulators(data: Dataset, reliability: np.ndarray) -> dict[str, Field]:
    """How far regulators stand for each other; the range leaves out a fold at a time."""
    p = data.panel.p
    readable = np.flatnonzero(reliability[:p] >= DIVISIBLE)
    if len(readable) < 3:
        return {}
    whole = data.moments.total()
    values = _regulator_statistics(whole, readable, reliability[:p])
    without = [
        _regulator_statistics(whole - fold, readable, reliability[:p])
        for fold in data.moments.folds
        if 0 < fold.n < whole.n
    ]
    error = jackknife_error(np.array(without))
    source = (
        f"{data.name}: {len(readable):,} regulators of a reliability of {DIVISIBLE} or more, "
        f"{whole.n:,} rows"
    )
    found = {}
    names = ("regulator_r2", "regulator_correlation")
    for name, value, spread in zip(names, values, error, strict=True):
        if name == "regulator_r2" and whole.n < ROWS_PER_REGULATOR * data.panel.p:
            continue
        most = FIELDS[UMIS][name].most
        low, high = max(value - _Z * spread, 0.0), min(value + _Z * spread, most)
        found[name] = Field(float(low), float(value), float(high), "measured", source)
    return found


def _regulator_statistics(
    sums: CrossSums, readable: np.ndarray, reliability: np.ndarray
) -> tuple[float, float]:
    """What the others explain of the median regulator, and the mean squared correlation."""
    correlation = sums.correlation()[:, : len(reliability)]
    rel = reliability[readable]
    explained = heritability(correlation, correlation[:, readable], sums.n, readable).pooled
    r2 = float(np.clip(np.median(explained / rel), 0.0, FIELDS[UMIS]["regulator_r2"].most))
    part = correlation[np.ix_(readable, readable)]
    squares = (part**2 - 1 / (sums.n - 1)) / np.outer(rel, rel)
    off = squares[~np.eye(len(readable), dtype=bool)]
    return r2, float(np.clip(off.mean(), 0.0, 1.0))
