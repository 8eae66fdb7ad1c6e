"""How long does the comparison of studies take, and how much memory?

``python benchmarks/scenarios.py``: 10,000 simulated targets on 334 regulators in 7 studies, each
sought by 3 methods, with two workers; the regulators are random, in correlated groups.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from infocheck.engine import Engine
from infocheck.stats.scenarios import Draws, Perturbations, Prior, Scenario, World, run

BATCH = 500


def world(p: int, rows: int, rng: np.random.Generator) -> World:
    """Regulators in eight overlapping groups, with noise, and a factor with four levels."""
    z = 0.4 * rng.normal(size=(rows, 8)) @ rng.normal(size=(8, p)) + rng.normal(size=(rows, p))
    targets = 200
    return World(
        gram=np.corrcoef(z.T),
        shrinkage=0.05,
        rows=float(rows),
        shares=np.array([0.05, 0.2, 0.5]),
        weights=np.array([0.3, 0.4, 0.3]),
        reliability=rng.uniform(0.2, 0.9, p),
        target_reliability=rng.uniform(0.2, 0.9, targets),
        shared=0.03 * rng.normal(size=(p, targets)),
        strength=np.full(targets, 0.1),
        perturbations=Perturbations(shift=2.0, rows=rows / 20, controls=rows),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--regulators", type=int, default=334)
    parser.add_argument("--rows", type=int, default=805)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    n = float(arguments.rows)
    studies = {
        "as measured": Scenario(n),
        "depth": Scenario(n, depth=2),
        "donors": Scenario(2 * n),
        "hidden factor": Scenario(n, confounded=True),
        "coupling": Scenario(n, coupling=0.6),
        "perturbations": Scenario(n, perturbed=20),
        "prior network": Scenario(n, prior=Prior(0.5, 0.5)),
    }
    real = world(arguments.regulators, arguments.rows, rng)
    start = time.perf_counter()
    for study in studies.values():
        real.model(study)
    engine = Engine(arguments.jobs)
    with engine.running():
        batches = engine.map(
            lambda draw: run(real, studies, Draws.of(real, BATCH, draw))[0],
            rng.spawn(arguments.targets // BATCH),
        )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for study in studies:
        power = np.mean([batch[study, "lasso"].power for batch in batches])
        print(f"{study:16} power of the lasso {power:.3f}")
    print(
        f"{len(batches) * BATCH:,} targets × {arguments.regulators} regulators × {len(studies)} "
        f"studies × 3 methods, {arguments.jobs} workers: {seconds:.1f} s, peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
