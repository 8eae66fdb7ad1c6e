"""How long a planned study takes: evaluation of grids, and the whole of `design`.

    python benchmarks/design.py

On one core; the numbers of the last run stand in docs/design.md.
"""

from __future__ import annotations

import time

import numpy as np

from infocheck import design
from infocheck.planning import model, system
from infocheck.planning.model import Designs, Plan


def seconds(work, repeats: int = 3) -> float:
    """The shortest of a few runs."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Print a line for each grid and each whole study."""
    one = system.shipped("human_pbmc_10x")
    costs = {f"cost_{name}": cost for name, cost in one.costs.items()}
    plan = Plan(regulators=one.regulators, targets=one.targets, **costs)
    for steps in (8, 10, 17, 25):
        donors = np.unique(np.geomspace(4, 400, steps).round()).astype(int).tolist()
        cells = np.unique(np.geomspace(50, 2000, steps).round()).astype(int).tolist()
        depth = np.unique(np.geomspace(1000, 50_000, 8).round()).astype(int).tolist()
        grid = Designs.grid(donors, cells, depth)
        taken = seconds(lambda grid=grid: model.edge_power(one.values(), plan, grid))
        print(f"{len(grid):6,d} designs evaluated      {taken:7.3f} s")
    for name in system.names():
        taken = seconds(lambda name=name: design(profile=name), repeats=1)
        print(f"design(profile={name!r})".ljust(44) + f"{taken:7.2f} s, 200 draws")
    page = design(profile="human_pbmc_10x")
    taken = seconds(page.to_html, repeats=1)
    print("page".ljust(44) + f"{taken:7.2f} s, {len(page.to_html()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
