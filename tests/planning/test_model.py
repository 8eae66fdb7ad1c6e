"""The model of a study: closed forms, planted truth, order, the optimum, and axes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from infocheck.planning import model, system
from infocheck.planning.model import Designs, Plan, axis, best, edge_power
from infocheck.stats.edge_power import level_at_fdr, power_at_fdr

PBMC = system.shipped("human_pbmc_10x")
VALUES = PBMC.values()
PLAN = Plan(regulators=700, targets=6000, cost_donor=500.0, cost_cell=0.15, cost_read=4e-6)
SMALL = Designs.grid([4, 12, 40], [50, 400, 2000], [1000, 8000, 50_000])


def plain_values(**changed: float) -> dict[str, float]:
    """An array in which every gene has the same reliability and nothing differs."""
    return {
        "regulator_reliability": 0.7,
        "target_reliability": 0.6,
        "reliability_sd": 0.0,
        "icc": 0.0,
        "edge_spread": 0.0,
        "regulator_r2": 0.0,
        "regulator_correlation": 0.0,
    } | changed


# The model ---------------------------------------------------------------------------------


def test_without_differences_it_is_the_closed_form():
    """All pairs alike, no donors, no spread: power at an FDR of one attenuated effect."""
    designs = Designs.grid([50, 200], [1, 3], [1])
    seen = 0.3 * math.sqrt(0.7 * 0.6)
    n = designs.donors * designs.cells
    expected = power_at_fdr(np.array([seen]), np.ones(1), n, PLAN.share, PLAN.fdr)[0]
    assert edge_power(plain_values(), PLAN, designs) == pytest.approx(expected, abs=1e-9)


def test_reliability_is_logistic_in_log_depth():
    """One gene of share p and CV² c: c·p·U / (1 + c·p·U) at every depth."""
    values = VALUES | dict.fromkeys([n for n in VALUES if n.endswith("_sd")], 0.0)
    designs = Designs.grid([10], [100], [1000, 20_000])
    cp = math.exp(values["regulator_log_share"] + values["regulator_log_cv2"])
    counts = model.umis(values, designs)
    expected = cp * counts / (1 + cp * counts)
    found = model.reliabilities(values, designs, "regulator")
    assert found == pytest.approx(np.repeat(expected[:, None], model.SLICES, axis=1))


def test_slices_stand_for_all_genes():
    fine = edge_power(VALUES, PLAN, SMALL, slices=61)
    assert edge_power(VALUES, PLAN, SMALL) == pytest.approx(fine, abs=0.02)


def test_readable_share_is_that_of_genes_drawn_one_by_one():
    rng = np.random.default_rng(1)
    share = rng.normal(VALUES["regulator_log_share"], VALUES["regulator_log_share_sd"], 200_000)
    line = VALUES["regulator_log_cv2"] + VALUES["regulator_log_cv2_slope"] * (
        share - VALUES["regulator_log_share"]
    )
    log_cv2 = rng.normal(line, VALUES["regulator_log_cv2_sd"])
    for row, counts in enumerate(model.umis(VALUES, SMALL)):
        drawn = (expit(share + log_cv2 + math.log(counts)) >= 0.2).mean()
        assert model.readable_share(VALUES, SMALL)[row] == pytest.approx(drawn, abs=0.005)
    needed = model.counts_needed(VALUES, 0.5)
    assert (expit(share + log_cv2 + math.log(needed)) >= 0.2).mean() == pytest.approx(0.5, abs=0.01)


def test_with_endless_cells_donors_alone_count():
    """Mean strength over J donors is no surer than its spread: z is at most sqrt(J) / h."""
    values = plain_values(edge_spread=0.5)
    designs = Designs.grid([10], [10**9], [1])
    level = level_at_fdr(np.tanh([math.sqrt(10) / 0.5]), np.ones(1), 4.0, PLAN.share, PLAN.fdr)
    expected = norm.cdf(math.sqrt(10) / 0.5 - norm.isf(level / 2))
    assert edge_power(values, PLAN, designs)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", system.names())
@pytest.mark.parametrize("multiple", [0.5, 1.0, 1.5])
def test_more_of_an_axis_never_finds_less(name, multiple):
    one = system.shipped(name)
    plan = replace(PLAN, regulators=one.regulators, targets=one.targets)
    depths = [1000, 8000, 50_000] if one.has_depth else [1]
    designs = Designs.grid([4, 12, 40, 120], [1, 20, 400, 2000], depths)
    power = edge_power(one.values(), plan, designs, multiple=multiple)
    shape = (4, 4, len(depths))
    for along in range(3):
        assert (np.diff(power.reshape(shape), axis=along) >= -1e-9).all(), along
    assert ((power >= 0) & (power <= 1)).all()


@pytest.mark.parametrize(
    ("change", "better"),
    [
        ({"icc": 0.4}, False),
        ({"edge_spread": 1.0}, False),
        ({"target_log_cv2": 2.0}, True),
        ({"umis_at_saturation": 2000.0}, False),
        ({"doublets_per_thousand": 0.1}, False),
    ],
)
def test_every_assumption_pulls_its_way(change, better):
    before, after = edge_power(VALUES, PLAN, SMALL), edge_power(VALUES | change, PLAN, SMALL)
    assert (after >= before - 1e-9).all() if better else (after <= before + 1e-9).all()
    assert np.abs(after - before).max() > 0.01


def test_rivals_and_batches_cost_power():
    designs = Designs.grid([40], [400], [8000], [1, 20])
    power = edge_power(VALUES, replace(PLAN, effect=0.05), designs)
    assert power[1] < power[0]
    beside = model.partial_power(VALUES, PLAN, SMALL)
    assert (beside <= edge_power(VALUES, PLAN, SMALL) + 1e-9).all()
    few = Designs.grid([4], [100], [8000])  # fewer rows than regulators
    assert model.partial_power(VALUES, PLAN, few)[0] == 0.0


# Planted truth -----------------------------------------------------------------------------


def found_edges(x: np.ndarray, y: np.ndarray, parents: np.ndarray, n: np.ndarray, q: float):
    """Share of planted edges found by Benjamini-Hochberg, and false share of what is found.

    ``n`` are effective rows of each pair.
    """
    zx, zy = (v - v.mean(axis=0) for v in (x, y))
    r = (zx / np.linalg.norm(zx, axis=0)).T @ (zy / np.linalg.norm(zy, axis=0))
    p = 2 * norm.sf(np.sqrt(n - 3) * np.abs(np.arctanh(r)))
    order = np.sort(p.ravel())
    passing = np.flatnonzero(order <= q * np.arange(1, p.size + 1) / p.size)
    called = p <= (order[passing[-1]] if len(passing) else -1.0)
    true = np.zeros_like(called)
    true[parents, np.arange(y.shape[1])[:, None]] = True
    return called[true].mean(), (called & ~true).sum() / max(called.sum(), 1)


def test_power_of_arrays_is_what_simulated_rows_show():
    """60 regulators, 200 targets of 3 regulators each; reliabilities .7 and .6."""
    rng = np.random.default_rng(3)
    plan = replace(PLAN, regulators=60, targets=200)
    shown = []
    for _ in range(4):
        x = rng.standard_normal((160, 60))
        parents = np.array([rng.choice(60, 3, replace=False) for _ in range(200)])
        y = 0.3 * x[:, parents].sum(axis=2) + math.sqrt(1 - 0.27) * rng.standard_normal((160, 200))
        x = math.sqrt(0.7) * x + math.sqrt(0.3) * rng.standard_normal(x.shape)
        y = math.sqrt(0.6) * y + math.sqrt(0.4) * rng.standard_normal(y.shape)
        shown.append(found_edges(x, y, parents, np.full((60, 200), 160.0), 0.1))
    power, false = np.mean(shown, axis=0)
    forecast = edge_power(plain_values(), plan, Designs.grid([160], [1], [1]))[0]
    assert 0.2 < forecast < 0.8  # where a difference would show
    assert forecast == pytest.approx(power, abs=0.04)
    assert false == pytest.approx(0.1, abs=0.04)


def test_power_of_counts_of_donors_is_what_simulated_cells_show():
    """Poisson counts around log-normal rates, donors with a share of .3 of all variance."""
    rng = np.random.default_rng(4)
    donors, cells, regulators, targets, icc, spread = 12, 150, 40, 150, 0.3, 0.5
    counts = 2500.0
    level = {"regulator": -7.2, "target": -6.8}
    between = np.repeat(np.arange(donors), cells)

    def mixed(within: np.ndarray) -> np.ndarray:
        """Donor shifts beside what varies from cell to cell."""
        shifts = rng.standard_normal((donors, within.shape[1]))[between]
        return math.sqrt(icc) * shifts + math.sqrt(1 - icc) * within

    def counted(latent: np.ndarray, mean: np.ndarray) -> np.ndarray:
        return rng.poisson(counts * mean * np.exp(spread * latent - spread**2 / 2))

    shown = []
    for _ in range(3):
        x = rng.standard_normal((donors * cells, regulators))
        parents = np.array([rng.choice(regulators, 2, replace=False) for _ in range(targets)])
        own = rng.standard_normal((donors * cells, targets))
        y = 0.6 * x[:, parents].sum(axis=2) + math.sqrt(1 - 2 * 0.36) * own
        shares = [
            np.exp(rng.normal(level[w], 0.8, k))
            for w, k in (("regulator", regulators), ("target", targets))
        ]
        cx, cy = counted(mixed(x), shares[0]), counted(mixed(y), shares[1])
        rel = [0.284 * counts * s / (1 + 0.284 * counts * s) for s in shares]
        product_ = np.outer(icc * rel[0], icc * rel[1])
        n = donors * cells / (1 + (cells - 1) * product_)
        shown.append(found_edges(cx, cy, parents, n, 0.1))
    power = np.mean(shown, axis=0)[0]
    # Cell-to-cell correlation of latent values → correlation of rates.
    latent = 0.6 * (1 - icc)
    effect = math.expm1(spread**2 * latent) / math.expm1(spread**2)
    values = {
        "regulator_log_share": level["regulator"],
        "target_log_share": level["target"],
        **{f"{w}_log_share_sd": 0.8 for w in level},
        **{f"{w}_log_cv2": math.log(math.expm1(spread**2)) for w in level},
        **{f"{w}_{part}": 0.0 for w in level for part in ("log_cv2_slope", "log_cv2_sd")},
        "icc": icc,
        "edge_spread": 0.0,
        "regulator_r2": 0.0,
        "regulator_correlation": 0.0,
    }
    plan = replace(PLAN, regulators=regulators, targets=targets, in_degree=2.0, effect=effect)
    forecast = edge_power(values, plan, Designs.grid([donors], [cells], [round(counts)]))[0]
    assert 0.2 < forecast < 0.9
    assert forecast == pytest.approx(power, abs=0.05)


# The optimum -------------------------------------------------------------------------------


def brute_force(plan: Plan, donors, cells, depth) -> tuple[float, float]:
    """Cost and power of the best design, by loops over one design at a time."""
    chosen = None
    for one in product(donors, cells, depth):
        design = Designs.grid(*([value] for value in one))
        power, cost = float(edge_power(VALUES, plan, design)[0]), float(design.cost(plan)[0])
        if plan.budget is not None and cost > plan.budget:
            continue
        if plan.budget is None and power < plan.power:
            continue
        score = (-power, cost) if plan.budget is not None else (cost, -power)
        if chosen is None or score < chosen[0]:
            chosen = (score, cost, power)
    return chosen[1], chosen[2]


@pytest.mark.parametrize("budget", [None, 4000.0, 12_000.0])
@pytest.mark.parametrize("cost_read", [0.0, 4e-6, 1e-4])
def test_the_optimum_is_that_of_brute_force(budget, cost_read):
    plan = replace(PLAN, budget=budget, cost_read=cost_read, power=0.5)
    axes = ([4, 7, 12, 21], [50, 170, 580, 2000], [1000, 9400, 50_000])
    grid = Designs.grid(*axes)
    power, cost = edge_power(VALUES, plan, grid), grid.cost(plan)
    at, reached = best(power, cost, plan)
    assert reached
    assert (cost[at], power[at]) == pytest.approx(brute_force(plan, *axes), rel=1e-9)
    if budget is not None:
        assert cost[at] <= budget


def test_cost_is_the_sum_of_its_parts():
    design = Designs.grid([24], [600], [20_000])
    assert design.cost(PLAN)[0] == pytest.approx(24 * 500 + 24 * 600 * 0.15 + 24 * 600 * 0.08)


def test_when_nothing_is_enough_the_most_is_taken():
    power, cost = np.array([0.1, 0.3, 0.3]), np.array([1.0, 9.0, 5.0])
    assert best(power, cost, PLAN) == (2, False)
    with pytest.raises(ValueError, match="buys no design of this grid; the cheapest costs 1"):
        best(power, cost, replace(PLAN, budget=0.5))


@pytest.mark.parametrize(
    "change",
    [
        {"effect": 0.0},
        {"effect": 1.0},
        {"effect": math.nan},
        {"fdr": 0.0},
        {"fdr": 1.5},
        {"power": 1.0},
        {"coupling": 0.0},
        {"coupling": 1.1},
        {"in_degree": 0.0},
        {"in_degree": 701},
        {"in_degree": math.nan},
        {"regulators": 0},
        {"targets": 0},
        {"cost_donor": -1.0},
        {"cost_cell": math.nan},
        {"cost_read": math.inf},
        {"cost_donor": 0.0, "cost_cell": 0.0, "cost_read": 0.0},
        {"budget": 0.0},
        {"budget": -5.0},
        {"budget": math.nan},
        {"budget": math.inf},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_in_a_sentence(change):
    with pytest.raises(ValueError, match=r"^[a-z].{15,}[^.]$"):
        replace(PLAN, **change)


# Axes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("24", [24]),
        (24, [24]),
        ("50,200,1000", [50, 200, 1000]),
        ([3, 1, 3], [1, 3]),
        ("1e3,2e3", [1000, 2000]),
        ("7:7", [7]),
        ("1:4:3", [1, 2, 4]),
        ("4:40:2", [4, 40]),
        (np.array([2, 5]), [2, 5]),
    ],
)
def test_axes_are_read(given, values):
    assert axis(given, "donors") == values


@pytest.mark.parametrize("given", ["4:40", "50:2000", "1000:50000", "1:3"])
def test_a_range_has_whole_values_and_both_ends(given):
    low, high = map(int, given.split(":"))
    values = axis(given, "donors")
    assert (values[0], values[-1]) == (low, high)
    assert values == sorted(set(values))
    assert len(values) <= model.STEPS["donors"]
    assert all(isinstance(value, int) for value in values)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "4-40",
        "a",
        "4:",
        ":4",
        "1:2:3:4",
        "40:4",
        "0",
        "-3",
        "2.5",
        "nan",
        "inf",
        "1:inf",
        "4:40:1",
        "4:40:9999",
        "1e30",
        None,
        [],
        {},
        "1,,2",
        "\x00",
        "4:40:x",
    ],
)
def test_axes_that_cannot_be_are_refused_in_a_sentence(given):
    with pytest.raises(ValueError, match="donors"):
        axis(given, "donors")


def test_a_grid_is_not_endless_and_batches_hold_two_donors():
    with pytest.raises(ValueError, match="1,000,000 designs"):
        Designs.grid(range(1, 101), range(1, 101), range(1, 101))
    grid = Designs.grid([4, 8], [10], [1], [1, 4])
    assert sorted(zip(grid.donors, grid.batches, strict=True)) == [(4, 1), (8, 1), (8, 4)]
    with pytest.raises(ValueError, match="cannot be spread over 3 batches"):
        Designs.grid([4, 5], [10], [1], [3])
