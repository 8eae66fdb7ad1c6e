"""A report made by hand from small checks: every state, and names that mean harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from infocheck import goals, plotting
from infocheck.check import Check
from infocheck.report import Report
from infocheck.result import Result, Stage, Status, Verdict

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
CLOSING = "</script><script>alert(1)</script><!--"
FORMULA = "=HYPERLINK(1)"
DOLLARS = "$\\frac{1}$"
HOSTILE = (SCRIPT, IMAGE, CLOSING, FORMULA, DOLLARS, "+cmd", "-cmd", "@SUM(A1)")


@dataclass(frozen=True, kw_only=True)
class _Fake(Check):
    computed: ClassVar[str] = (
        "Sampling noise is subtracted from the variance of depth-normalised counts. The interval "
        "comes from a jackknife over donors."
    )
    misleads: ClassVar[str] = "Ambient RNA and errors of the size factors count as signal."
    references: ClassVar[tuple[str, ...]] = ("schafer2005",)

    def plot(self, tables):
        if "genes" not in tables:
            return {}
        genes = tables["genes"]

        def draw(axes, width):
            path = np.column_stack([genes["mean"], genes["mean"], np.full(len(genes), np.nan)])
            value = np.column_stack([genes["value"], genes["value"], np.full(len(genes), np.nan)])
            axes.plot(
                path.ravel(),
                value.ravel(),
                color=plotting.C1,
                lw=5,
                solid_capstyle="round",
                alpha=0.6,
                rasterized=len(genes) > plotting.MAX_VECTOR_POINTS,
            )
            axes.axhline(0.2, color=plotting.MUTED, ls=(0, (5, 4)))
            axes.annotate(
                "Need 0.20", (genes["mean"].min(), 0.21), weight="semibold", color=plotting.INK
            )
            axes.text(genes["mean"].max(), 0.5, str(genes["regulator"].iloc[0]), ha="right")
            axes.set(xscale="log", xlabel="Mean count per cell", ylabel="Value", ylim=(0, 1.05))

        return {
            "value": plotting.Chart(
                title="Reliability follows expression level.",
                caption="One dot per regulator. The broken line is the 0.20 that is needed.",
                draw=draw,
            )
        }


@dataclass(frozen=True, kw_only=True)
class Reliability(_Fake):
    name = "reliability"
    title = "Readable regulators"
    question = "Is each gene measured reliably?"
    stage = Stage.MEASUREMENT
    unit = "share of regulators"
    references = ("zhang2020", "spearman1904")


@dataclass(frozen=True, kw_only=True)
class Stability(_Fake):
    name = "stability"
    title = "Stability of edges"
    question = "Would other samples give the same edges?"
    stage = Stage.SAMPLING
    unit = "rank agreement of edge scores between halves"


@dataclass(frozen=True, kw_only=True)
class SampleSize(_Fake):
    name = "sample_size"
    title = "Independent observations"
    question = "How many independent observations do the rows amount to?"
    stage = Stage.SAMPLING
    gate = False
    unit = "effective observations"


@dataclass(frozen=True, kw_only=True)
class Predictability(_Fake):
    name = "predictability"
    title = "Predictability of targets"
    question = "Do regulators predict targets?"
    stage = Stage.PREDICTABILITY
    unit = "R²"


@dataclass(frozen=True, kw_only=True)
class Specificity(_Fake):
    name = "specificity"
    title = "Specificity"
    question = "Do regulators predict better than look-alike genes?"
    stage = Stage.SPECIFICITY
    unit = "z against matched decoys"


@dataclass(frozen=True, kw_only=True)
class Confounding(_Fake):
    name = "confounding"
    title = "Batch and donor"
    question = "How much of the variance belongs to batch and donor?"
    stage = Stage.CONFOUNDING
    at_most = True
    unit = "median share of variance"


@dataclass(frozen=True, kw_only=True)
class Proxy(_Fake):
    name = "proxy"
    title = "mRNA as a stand-in"
    question = "Does mRNA stand in for the regulator’s protein?"
    stage = Stage.PROXY
    unit = "coupling"


CHECKS = {
    kind.name: kind()
    for kind in (
        Reliability,
        Stability,
        SampleSize,
        Predictability,
        Specificity,
        Confounding,
        Proxy,
    )
}


def report(*, regulators: int = 60, genes: int = 90, columns: int = 3, **changes) -> Report:
    """One report with every state of a check, as large as asked for."""
    rng = np.random.default_rng(3)
    names = [*HOSTILE, *(f"GENE{i}" for i in range(regulators - len(HOSTILE)))]
    reads = _regulators(names, rng, "reliability", columns)
    tables = {
        "reliability": {"regulators": reads, "genes": _genes(genes, names, rng)},
        "stability": {
            "summary": _summary(),
            "regulators": _regulators(names, rng, "agreement", columns),
        },
        "predictability": {"targets": _genes(12, names, rng).drop(columns="regulator")},
    }
    verdicts = _verdicts()
    results = {
        name: Result(
            check=check,
            verdict=verdicts[name],
            tables=tables.get(name, {}),
            seed=1,
            seconds=0.25,
        )
        for name, check in CHECKS.items()
    }
    levels = {"donor": 12, "batch": 3}
    values = {
        "dataset": _dataset(regulators, levels),
        "results": results,
        "goals": goals.decide(results, n_obs=8412, role_levels=levels),
        "stages": goals.stage_states(results),
        "provenance": _provenance(),
        "date": "2026-11-22",
    }
    return Report(**values | changes)


def _verdicts() -> dict[str, Verdict]:
    against = Verdict.against
    return {
        "reliability": against(
            estimate=0.64,
            low=0.61,
            high=0.68,
            need=0.5,
            floor=0.2,
            unit="share of regulators",
            reason="{estimate:.0%} of regulators ({low:.0%}–{high:.0%}) are measured reliably, and "
            "{need:.0%} are needed. A true correlation of 0.30 between two such genes would be "
            "seen as 0.11.",
        ),
        "stability": against(
            estimate=0.14,
            low=0.11,
            high=0.17,
            need=0.2,
            floor=0.1,
            unit="rank agreement of edge scores between halves",
            reason="Two halves of the donors agree on edges at {estimate:.2f} "
            "({low:.2f}–{high:.2f}); {need:.2f} is needed.",
        ),
        "sample_size": Verdict(
            status=Status.BORDERLINE,
            estimate=1210.0,
            low=880.0,
            high=1630.0,
            unit="effective observations",
            reason="The 8,412 observations are worth about 1,210 independent ones (880–1,630).",
        ),
        "predictability": against(
            estimate=0.0061,
            low=0.0052,
            high=0.0072,
            need=0.05,
            floor=0.01,
            unit="R²",
            reason="Regulators predict {estimate:.4f} ({low:.4f}–{high:.4f}) of the variance of "
            "their targets, below the floor of {floor:.2f}.",
        ),
        "specificity": Verdict(
            status=Status.ERROR,
            unit="z against matched decoys",
            reason="The check stopped with FileNotFoundError: /home/jane/secret/cache.npy is "
            f"missing {SCRIPT}. Nothing is concluded from it; please report this.",
        ),
        "confounding": against(
            estimate=0.17,
            low=0.13,
            high=0.22,
            need=0.15,
            floor=None,
            unit="median share of variance",
            reason="Batch and donor own {estimate:.0%} ({low:.0%}–{high:.0%}) of a gene’s "
            "variance; at most {need:.0%} is wanted.",
            at_most=True,
        ),
        "proxy": Verdict(
            status=Status.NOT_ASSESSED,
            unit="coupling",
            reason="Expression alone cannot tell; bring protein, accessibility or perturbations.",
        ),
    }


def _regulators(names, rng, key: str, columns: int) -> pd.DataFrame:
    value = rng.beta(2, 3, len(names))
    table = {
        "regulator": names,
        key: value,
        f"{key}_low": value * 0.9,
        f"{key}_high": np.minimum(value * 1.1, 1),
        "mean_count": rng.lognormal(0, 1.5, len(names)),
    }
    table |= {f"extra_{i}": rng.random(len(names)) for i in range(columns - 3)}
    frame = pd.DataFrame(table)
    frame.loc[len(names) - 1, key] = np.nan
    return frame


def _genes(n: int, names, rng) -> pd.DataFrame:
    mean = np.sort(rng.lognormal(-1, 1.4, n))
    labels = [*names, *(f"OTHER{i}" for i in range(n))][:n]
    value = 0.284 * mean / (1 + 0.284 * mean)
    return pd.DataFrame(
        {
            "regulator": labels,
            "mean": mean,
            "value": value,
            "low": value * 0.9,
            "high": value * 1.1,
            "is_regulator": np.arange(n) % 2 == 0,
            "p": np.geomspace(1e-12, 0.9, n),
        }
    )


def _summary() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "statistic": ["stab_pc", "stab_c"],
            "estimate": [0.14, 0.61],
            "low": [0.11, 0.55],
            "high": [0.17, 0.66],
            "halves": ["donors", "donors"],
            "null": [np.nan, np.inf],
        }
    )


def _dataset(regulators: int, levels) -> dict:
    return {
        "name": "demo <i>x.h5ad",
        "sha256": "ab" * 32,
        "n_obs": 8412,
        "n_vars": 18306,
        "value_kind": "counts",
        "regulators": {"n": regulators, "source": "file /home/jane/lists/tfs.txt"},
        "targets": {"n": 1500},
        "roles": {
            "donor": {"column": "donor_id", "guessed": True, "levels": levels["donor"]},
            "batch": {"column": "lane", "guessed": False, "levels": levels["batch"]},
        },
        "notes": [f"The column {IMAGE} was dropped: one level."],
        "simulated": True,
    }


def _provenance() -> dict:
    return {
        "version": "0.1.0",
        "thresholds_version": "2026.1",
        "command": "infocheck report /home/jane/data/demo.h5ad --donor donor_id --seed 1",
        "seed": 1,
        "seconds": np.float64(134.2),
        "peak_memory_mb": 1900.0,
        "packages": {"numpy": "2.3", "anndata": "0.12"},
        "not_assessed": [{"check": "proxy", "reason": "no protein, accessibility or perturbation"}],
    }
