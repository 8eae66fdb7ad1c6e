"""Time and memory of the whole command against the limits that infocheck promises.

    python benchmarks/speed.py

Two cases, each a fresh process from reading the file to the page on disk: sparse counts
of 20,000 cells × 2,000 genes, and a dense compendium of 805 × 4,511 with 334 regulators.
Exits with 1 when a limit is missed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from measure import Run, report

from infocheck.simulate import simulate


@dataclass(frozen=True, kw_only=True)
class Case:
    """Data of one size and what the command may take for them."""

    name: str
    make: Callable[[], anndata.AnnData]
    options: tuple[str, ...] = ()
    seconds: float
    peak_mb: float | None = None


def sparse_counts() -> anndata.AnnData:
    """Cells as a droplet experiment gives them."""
    return simulate(n_obs=20_000, n_genes=2_000, n_regulators=200, seed=0)


def dense_compendium() -> anndata.AnnData:
    """Low rank and noise in the shape of a large microarray compendium."""
    n_obs, n_genes, n_regulators, rank = 805, 4_511, 334, 30
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((n_obs, rank)) @ rng.standard_normal((rank, n_genes))
    values = 8 + factors / np.sqrt(rank) + rng.standard_normal((n_obs, n_genes))
    genes = pd.DataFrame(index=[f"gene{i}" for i in range(n_genes)])
    genes["is_regulator"] = np.arange(n_genes) < n_regulators
    samples = pd.DataFrame(index=[f"sample{i}" for i in range(n_obs)])
    return anndata.AnnData(values.astype(np.float32), obs=samples, var=genes)


CASES = (
    Case(
        name="20,000 × 2,000 sparse counts",
        make=sparse_counts,
        options=("--donor", "donor", "--batch", "batch"),
        seconds=30,
        peak_mb=1_500,
    ),
    Case(name="805 × 4,511 dense", make=dense_compendium, seconds=30),
)


def main() -> int:
    print(f"{'case':<30} {'seconds':>8} {'limit':>6} {'peak MB':>8} {'limit':>6}")
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            page = Path(folder) / "page.html"
            ran = measure(case, page)
            kept = ran.code == 0 and ran.seconds <= case.seconds
            kept &= case.peak_mb is None or ran.peak_mb <= case.peak_mb
            missed += not kept
            limit = f"{case.peak_mb:.0f}" if case.peak_mb else "-"
            row = f"{case.name:<30} {ran.seconds:8.1f} {case.seconds:6.0f} "
            row += f"{ran.peak_mb:8.0f} {limit:>6}  {'kept' if kept else 'MISSED'}"
            print(f"{row}\n    {slowest(page) if ran.code == 0 else ran.words}", flush=True)
    return int(missed > 0)


def measure(case: Case, page: Path) -> Run:
    file = page.with_name("data.h5ad")
    case.make().write_h5ad(file)
    return report(file, page, "--quiet", *case.options)


def slowest(page: Path) -> str:
    """Where the time went, from the document beside the page."""
    checks = json.loads(page.with_suffix(".json").read_text("utf-8"))["checks"]
    taken = sorted(((check["seconds"] or 0, name) for name, check in checks.items()), reverse=True)
    return ", ".join(f"{name} {seconds:.1f} s" for seconds, name in taken)


if __name__ == "__main__":
    sys.exit(main())
