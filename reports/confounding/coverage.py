"""Do intervals of unique and total shares cover the truth, and is it recovered at all?

    python reports/confounding/coverage.py [--studies 100] [--out FOLDER]

Studies with a batch, a donor and a latent effect of known size, donors nested in batches or
every donor in all batches. The batches are the ones at hand, the donors are drawn anew in every
study; half of the latent factor, which nobody records, differs between donors. For each true end
of a share: how often the interval of a gene covers it, how often that of the median gene does,
and how far the mean over all genes is off. Writes ``coverage.csv`` and ``coverage.md``. About
half a minute; the seed is 1.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from infocheck.confounders.factors import Factors
from infocheck.confounders.shares import ENDS
from infocheck.stats.variance import jackknife_interval, unique_and_total

STUDIES = 100
DONORS = (6, 12, 20, 40)
# Below this true share nothing is claimed.
LEAST = 0.01
BATCH, DONOR, LATENT = 0.10, 0.15, 0.20


def planted(rng, donors, nested, cells=30, genes=250, batches=4):
    """Rows with batch, donor and a latent factor, and the true ends of both shares by gene.

    Batches are the ones at hand, donors are drawn; half of the latent factor differs
    between donors.
    """
    donor = np.repeat(np.arange(donors), cells)
    n = len(donor)
    batch = (np.arange(donors) % batches)[donor] if nested else rng.integers(batches, size=n)
    effect = np.sqrt(BATCH) * rng.normal(size=(batches, genes))
    loading = rng.normal(size=genes)
    latent = np.sqrt(0.5) * (rng.normal(size=donors)[donor] + rng.normal(size=n))
    y = effect[batch] + np.sqrt(DONOR) * rng.normal(size=(donors, genes))[donor]
    y += np.sqrt(LATENT) * latent[:, None] * loading
    y += np.sqrt(1 - BATCH - DONOR - LATENT) * rng.normal(size=(n, genes))
    weight = np.bincount(batch, minlength=batches) / n
    of_batch = weight @ (effect - weight @ effect) ** 2
    of_donor = (DONOR + 0.5 * LATENT * loading**2) * (1 - 1 / donors)
    rest = 0.5 * LATENT * loading**2 + 1 - BATCH - DONOR - LATENT
    if nested:
        each = donors / batches  # a batch mean holds the mean of so many donors
        between = of_donor / (1 - 1 / donors) * (1 / each - 1 / donors)
        total = of_batch + of_donor + rest
        truth = {
            ("batch", "unique"): 0 * total,
            ("batch", "total"): (of_batch + between) / total,
            ("donor", "unique"): (of_donor - between) / total,
            ("donor", "total"): (of_batch + of_donor) / total,
        }
    else:
        total = of_batch + of_donor + rest
        truth = {("batch", end): of_batch / total for end in ENDS}
        truth |= {("donor", end): of_donor / total for end in ENDS}
    return batch, donor, y, truth


def factors_of(batch, donor, y, groups):
    n, levels = len(y), (batch.max() + 1, donor.max() + 1)
    design = sp.hstack(
        [
            sp.csr_matrix((np.ones(n), (np.arange(n), code)), (n, k))
            for code, k in zip((batch, donor), levels, strict=True)
        ],
        format="csr",
    )
    inside = [groups == g for g in range(groups.max() + 1)]
    parts = [(design[i], y[i]) for i in inside]
    return Factors(
        design=design,
        n=np.array([i.sum() for i in inside], float),
        x=np.stack([np.asarray(x.sum(axis=0)).ravel() for x, _ in parts]),
        xx=np.stack([(x.T @ x).toarray() for x, _ in parts]),
        xy=np.stack([x.T @ v for x, v in parts]),
        y=np.stack([v.sum(axis=0) for _, v in parts]),
        yy=np.stack([(v**2).sum(axis=0) for _, v in parts]),
        columns={"batch": np.arange(levels[0]), "donor": levels[0] + np.arange(levels[1])},
    )


def study(rng, donors, nested):
    """One study: intervals and truths of every end, for genes and for the median gene."""
    batch, donor, y, truth = planted(rng, donors, nested)
    groups = (rng.permutation(donors) % min(20, donors))[donor]
    factors = factors_of(batch, donor, y, groups)

    def values(normal):
        return {
            (name, end): v
            for name, pair in unique_and_total(normal, factors.columns).items()
            for end, v in zip(ENDS, pair, strict=True)
        }

    whole = factors.normal()
    found, left_out = values(whole), [values(factors.normal(g)) for g in range(len(factors.n))]
    records = []
    for (factor, end), value in found.items():
        parts = np.stack([part[factor, end] for part in left_out])
        rank, true = whole.rank(factors.columns[factor]), truth[factor, end]
        low, high = jackknife_interval(value, parts, whole.n, rank)
        claimed = true >= LEAST
        inside = ((low <= true) & (true <= high))[claimed]
        middle = np.median(value), np.median(parts, axis=1)
        low, high = jackknife_interval(*map(np.array, middle), whole.n, rank)
        records.append(
            {
                "factor": factor,
                "end": end,
                "genes": int(claimed.sum()),
                "covered": int(inside.sum()),
                "median_covered": bool(low <= np.median(true) <= high),
                "mean_true": true.mean(),
                "mean_found": value.mean(),
            }
        )
    return records


def covered(donors, nested, studies, seed=1):
    """Coverage over many studies, one row for each factor and end."""
    rng = np.random.default_rng([seed, donors, int(nested)])
    rows = pd.DataFrame([row for _ in range(studies) for row in study(rng, donors, nested)])
    rows["off"] = rows["mean_found"] - rows["mean_true"]
    table = rows.groupby(["factor", "end"], sort=False).agg(
        genes=("genes", "sum"),
        covered=("covered", "sum"),
        median_coverage=("median_covered", "mean"),
        mean_true=("mean_true", "mean"),
        mean_off=("off", "mean"),
    )
    genes = table["genes"].where(table["genes"] > 0)
    table.insert(0, "gene_coverage", table.pop("covered") / genes)
    # Nothing is claimed for a share that is not there.
    table.loc[table["genes"] == 0, "median_coverage"] = np.nan
    design = "nested" if nested else "crossed"
    return table.reset_index().assign(donors=donors, design=design, studies=studies)


def page(table: pd.DataFrame, seconds: float) -> str:
    wide = table.copy()
    for name in ("gene_coverage", "median_coverage"):
        wide[name] = wide[name].map(lambda v: "not claimed" if np.isnan(v) else f"{v:.3f}")
    for name in ("mean_true", "mean_off"):
        wide[name] = wide[name].map(lambda v: f"{v:.3f}")
    wanted = table[(table["donors"] >= 20) & table["gene_coverage"].notna()]
    columns = ["donors", "design", "factor", "end"]
    columns += ["gene_coverage", "median_coverage", "mean_true", "mean_off"]
    lines = [
        "# Coverage of the intervals of unique and total shares",
        "",
        "`python reports/confounding/coverage.py` made this page "
        f"({table['studies'].iloc[0]} studies a setting, {seconds:.0f} s). Planted: batch "
        f"{BATCH:g} (4 batches), donor {DONOR:g}, a latent factor {LATENT:g}, 30 cells a donor, "
        "250 genes. Batches are the ones at hand; donors are drawn.",
        "",
        "From 20 donors on the intervals of genes cover "
        f"{wanted['gene_coverage'].min():.3f} or more (95 % is nominal), those of the median gene "
        f"{wanted['median_coverage'].min():.2f} or more: one latent factor moves all genes at "
        "once, so that a single study is a single draw of it. Largest mean error of a share: "
        f"{table['mean_off'].abs().max():.3f}. Where donors are nested in batches the unique share "
        "of batch is 0 by design, and nothing is claimed.",
        "",
        "| donors | design | factor | end | genes | median gene | true share | mean error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in wide[columns].to_numpy()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    start = time.perf_counter()
    with threadpool_limits(limits=1):
        parts = [covered(d, nested, given.studies) for d in DONORS for nested in (False, True)]
    table = pd.concat(parts, ignore_index=True)
    table.to_csv(given.out / "coverage.csv", index=False, float_format="%.5f")
    seconds = time.perf_counter() - start
    (given.out / "coverage.md").write_text(page(table, seconds), encoding="utf-8")
    print(f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
