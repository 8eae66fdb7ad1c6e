"""Scenarios without rows against simulated rows, and against what must follow."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm
from statsmodels.stats.proportion import proportion_confint

from infocheck.stats import scenarios
from infocheck.stats.resampling import wilson
from infocheck.stats.scenarios import Draws, Perturbations, Prior, Scenario, World, run

P, M = 30, 60


def world(rows=400.0, *, noisy=True, p=P, levels=4, strength=0.3, seed=0):
    """Regulators in two factors, with counting noise, and a factor that moves everything."""
    rng = np.random.default_rng(seed)
    loads = rng.normal(size=(p, 2)) * 0.6
    reliability = rng.uniform(0.3, 0.9, p) if noisy else np.ones(p)
    true = loads @ loads.T + np.eye(p)
    scale = np.sqrt(reliability / np.diag(true))
    gram = true * np.outer(scale, scale)
    gram[np.diag_indices(p)] = 1
    # Level means of regulators and targets; the regulators' are part of their covariance.
    of_targets = rng.normal(size=(levels, M))
    of_targets -= of_targets.mean(axis=0)
    of_targets *= np.sqrt(strength) / np.sqrt((of_targets**2).mean(axis=0))
    directions = np.linalg.cholesky(gram) @ rng.normal(size=(p, levels))
    of_regulators = 0.15 * (directions - directions.mean(axis=1, keepdims=True)).T
    made = World(
        gram=gram,
        shrinkage=0.02,
        rows=rows,
        shares=np.array([0.2, 0.5]),
        weights=np.array([0.5, 0.5]),
        reliability=reliability,
        target_reliability=rng.uniform(0.4, 0.9, M) if noisy else np.ones(M),
        shared=of_regulators.T @ of_targets / levels,
        strength=np.full(M, strength),
        perturbations=Perturbations(shift=2.0, rows=50, controls=rows),
    )
    return made, of_regulators, of_targets


def same_target(draws, draw, times):
    """One target, drawn again and again: its parents stay, the sampling noise does not."""
    rng = np.random.default_rng(99)
    p = len(draws.weights)

    def repeated(values):
        return np.repeat(values[..., draw : draw + 1], times, axis=-1)

    return replace(
        draws,
        weights=repeated(draws.weights),
        target_noise=repeated(draws.target_noise),
        like=repeated(draws.like),
        noise=rng.standard_normal((p, times)),
        chi=rng.random(times),
    )


@pytest.mark.parametrize("depth", [1.0, 2.0])
@pytest.mark.parametrize("coupling", [1.0, 0.5])
def test_distributed_as_rows_with_these_regulators(depth, coupling):
    """Kolmogorov-Smirnov and means, 3,000 draws; regulators fixed, as the formula has it."""
    n, times = 120, 3000
    real, _, _ = world(n, p=8)
    draws = same_target(Draws.of(real, 5, np.random.default_rng(1)), 2, times)
    scenario = Scenario(float(n), depth=depth, coupling=coupling)
    made = scenarios.correlations(real, scenario, draws)

    regulators, scale = real.prepared(depth)
    gram = regulators.gram
    rng = np.random.default_rng(2)
    z = rng.normal(size=(n, 8))
    z -= z.mean(axis=0)
    z = np.linalg.qr(z)[0] * np.sqrt(n) @ np.linalg.cholesky(gram).T  # exactly these correlations
    variance = 1 - draws.target_noise[0] * (1 - 1 / depth)
    covariance = coupling * scale * (real.latent @ draws.weights[:, 0]) / np.sqrt(variance)
    slope = np.linalg.solve(gram, covariance)
    noise = rng.normal(size=(n, times)) * np.sqrt(1 - slope @ gram @ slope)
    y = (z @ slope)[:, None] + noise
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    rows = z.T @ y / n
    for expected, found in zip(rows, made, strict=True):
        assert ks_2samp(expected, found).pvalue > 1e-3
        assert found.mean() == pytest.approx(expected.mean(), abs=4.5 * expected.std() / 38)


@pytest.mark.parametrize("confounded", [False, True])
@pytest.mark.parametrize("depth", [1.0, 2.0])
def test_the_mean_is_that_of_noisy_rows(depth, confounded):
    """Latent regulators, counting noise and factor made row by row; 400,000 rows, seed 3."""
    real, of_regulators, of_targets = world(noisy=True, p=8)
    draws = Draws.of(real, 12, np.random.default_rng(1))
    rng = np.random.default_rng(3)
    n = 400_000
    level = rng.integers(len(of_regulators), size=n)
    shift = of_regulators[level]
    rest = real.latent - np.cov(of_regulators.T, bias=True)
    values, vectors = np.linalg.eigh(rest)
    assert values[0] > -1e-9, "the planted factor must fit into the covariance"
    latent = shift + rng.normal(size=(n, 8)) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    observed = latent + rng.normal(size=(n, 8)) * np.sqrt((1 - real.reliability) / depth)
    signal = latent @ draws.weights
    own = 1 - draws.target_noise - np.einsum("ij,ij->j", draws.weights, real.latent @ draws.weights)
    y = signal + rng.normal(size=signal.shape) * np.sqrt(own + draws.target_noise / depth)
    if confounded:
        y += of_targets[:, draws.like][level]
    expected = np.corrcoef(observed.T, y.T)[:8, 8:]
    made = scenarios.correlations(real, Scenario(1e9, depth=depth, confounded=confounded), draws)
    assert np.abs(made - expected).max() < 0.008


def outcomes(real, plans, seed=5, targets=M):
    return run(real, plans, Draws.of(real, targets, np.random.default_rng(seed)))


def power(found, name, method="lasso"):
    return found[0][name, method].power


def test_more_rows_and_depth_find_more_and_hidden_factors_find_less():
    real, _, _ = world(200.0)
    plans = {
        "now": Scenario(200.0),
        "rows": Scenario(800.0),
        "depth": Scenario(200.0, depth=8.0),
        "hidden": Scenario(200.0, confounded=True),
        "weak": Scenario(200.0, coupling=0.4),
        "none": Scenario(200.0, coupling=0.0),
    }
    found = run(real, plans, Draws.of(real, 400, np.random.default_rng(5)))
    area = {name: found[0][name, "partial correlation"].normalised_aupr for name in plans}
    assert area["rows"] > area["now"] + 0.03
    assert area["depth"] > area["now"] + 0.03
    assert area["hidden"] < area["now"] - 0.03
    assert area["none"] < area["weak"] < area["now"]
    assert abs(area["none"]) < 0.05


def test_gains_are_paired():
    """The same parents and noise on both sides: the difference varies far less."""
    real, _, _ = world()
    plans = {"now": Scenario(400.0), "more": Scenario(440.0)}
    pairs = np.array(
        [
            [power(f, name, "partial correlation") for name in plans]
            for f in (outcomes(real, plans, seed, 200) for seed in range(12))
        ]
    )
    assert np.diff(pairs).std() < 0.5 * pairs.std(axis=0).min()


def test_a_study_that_is_no_other_finds_the_same():
    real, _, _ = world()
    found, nominal = outcomes(real, {"now": Scenario(400.0), "same": Scenario(400.0)})
    assert found["now", "lasso"] == found["same", "lasso"]
    assert nominal["now"] == nominal["same"]


def test_perturbing_every_regulator_in_many_rows_finds_every_strong_edge():
    real, _, _ = world(100.0, noisy=False)
    real = replace(real, perturbations=Perturbations(shift=10.0, rows=1e5, controls=1e5))
    plans = {
        "now": Scenario(100.0),
        "half": Scenario(100.0, perturbed=P // 2),
        "all": Scenario(100.0, perturbed=P),
    }
    found = outcomes(real, plans)
    assert power(found, "all") > 0.97
    assert power(found, "now") + 0.05 < power(found, "half") < power(found, "all") - 0.02


def test_perturbations_that_show_nothing_change_little():
    real, _, _ = world()
    real = replace(real, perturbations=Perturbations(shift=0.0, rows=50, controls=400))
    found = outcomes(real, {"now": Scenario(400.0), "all": Scenario(400.0, perturbed=P)})
    assert power(found, "all") == pytest.approx(power(found, "now"), abs=0.04)


def test_a_prior_network_helps_as_far_as_it_is_true():
    real, _, _ = world(150.0)
    share = float((Draws.of(real, M, np.random.default_rng(5)).weights != 0).mean())
    plans = {
        "now": Scenario(150.0),
        "guessed": Scenario(150.0, prior=Prior(precision=share, recall=0.5)),
        "half": Scenario(150.0, prior=Prior(precision=0.5, recall=0.5)),
        "known": Scenario(150.0, prior=Prior(precision=0.999, recall=0.999)),
    }
    found = outcomes(real, plans)
    assert power(found, "guessed") == pytest.approx(power(found, "now"), abs=1e-9)
    assert power(found, "now") + 0.02 < power(found, "half") < power(found, "known")
    assert power(found, "known") > 0.99


def test_the_textbook_procedure_reports_too_much_where_regulators_correlate():
    """Nominal 10 %: near it when regulators are independent, far above when they are not."""
    real, _, _ = world(noisy=False)
    _, nominal = outcomes(real, {"now": Scenario(400.0)}, targets=800)
    assert nominal["now"].fdp > 0.3
    # Independent regulators, as 400 rows of them would look.
    gram = np.corrcoef(np.random.default_rng(11).normal(size=(P, 400)))
    _, nominal = outcomes(replace(real, gram=gram), {"now": Scenario(400.0)}, 6, 800)
    assert nominal["now"].fdp == pytest.approx(0.1, abs=0.03)


def test_power_of_regulators_adds_up_and_falls_with_noise():
    real, _, _ = world()
    real = replace(real, reliability=np.where(np.arange(P) < P // 2, 0.9, 0.2))
    draws = Draws.of(real, 2000, np.random.default_rng(7))
    found, there = scenarios.found_by_regulator(real, Scenario(400.0), draws)
    assert (found <= there).all()
    assert there.sum() == (draws.weights != 0).sum()
    share = found / there
    assert share[: P // 2].mean() > 2 * share[P // 2 :].mean()


def test_explained_variance_fits_into_what_is_measured():
    real, _, _ = world()
    draws = Draws.of(real, 500, np.random.default_rng(8))
    variance = np.einsum("ij,ij->j", draws.weights, real.latent @ draws.weights)
    assert (variance <= 1 - draws.target_noise + 1e-9).all()


def test_log_odds_are_those_of_the_truth_and_keep_the_order():
    rng = np.random.default_rng(9)
    number = 200_000
    expected = 1 / (1 + np.exp(0.8 * (np.log(np.arange(1, number + 1)) - 5)))
    found = scenarios.log_odds(np.cumsum(rng.random(number) < expected))
    assert (np.diff(found) < 0).all()
    for rank in (10, 100, 1000, 50_000):
        odds = np.log(expected[rank - 1] / (1 - expected[rank - 1]))
        assert found[rank - 1] == pytest.approx(odds, abs=0.8)
    assert np.isfinite(scenarios.log_odds(np.arange(1, 51))).all()
    assert np.isfinite(scenarios.log_odds(np.zeros(50))).all()


def test_bayes_factor_of_perturbations_is_the_ratio_of_normal_densities():
    real, _, _ = world()
    draws = Draws.of(real, 400, np.random.default_rng(10))
    scenario = Scenario(400.0, perturbed=P)
    found = scenarios._of_perturbations(real, scenario, draws)
    spread = 2.0 * np.sqrt(50 * 400 / 450)
    true = (spread * np.sqrt(real.reliability)[:, None] * draws.weights)[draws.order]
    z, sd = true + draws.pert_noise[draws.order], np.sqrt(1 + np.square(true[true != 0]).mean())
    assert found == pytest.approx(norm.logpdf(z, scale=sd) - norm.logpdf(z), abs=1e-9)


def test_many_wilson_intervals_equal_statsmodels():
    count, n = np.array([0, 3, 10, 0]), np.array([7, 11, 10, 0])
    low, high = wilson(count, n)
    expected = proportion_confint(count[:3], n[:3], method="wilson")
    assert low[:3] == pytest.approx(np.maximum(expected[0], 0), abs=1e-12)
    assert high[:3] == pytest.approx(np.minimum(expected[1], 1), abs=1e-12)
    assert (low[3], high[3]) == (0, 1)
