"""Ceilings are what a model scores that knows the truth; baselines know nothing of the answer."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.perturbations.baselines import (
    CORRELATION,
    DIRECTION,
    ERROR,
    known,
    mean_of_others,
    no_change,
    scored,
    strongest_of,
    sum_of_singles,
)
from infocheck.perturbations.ceiling import (
    ALL_ROWS,
    HALF,
    Shared,
    best_lists,
    reliability_interval,
    split_error,
)
from infocheck.perturbations.deltas import PAIRINGS
from infocheck.stats.resampling import t_interval

LISTS = (20, 50)
ROWS, CONTROLS = 60, 600
ERROR_OF_ALL = np.sqrt(1 / ROWS + 1 / CONTROLS)


# Responses with a known truth ----------------------------------------------------------------


def parts(rng, true, rows=60, controls=600, common=0.0):
    """Differences from the control in each part; rows have variance 1.

    ``common`` is the share of it that three directions of genes hold, so that noise correlates.
    """
    k, g = true.shape
    loadings = rng.normal(size=(3, g)) * np.sqrt(common / 3)

    def noise(of, n):
        own = np.sqrt(1 - common) * rng.normal(size=(of, g))
        return (rng.normal(size=(of, 3)) @ loadings + own) / np.sqrt(n)

    return np.stack([true + noise(k, rows / 4) - noise(1, controls / 4) for _ in range(4)])


def halves(parts):
    return np.stack(
        [np.stack([parts[list(side)].mean(axis=0) for side in pair]) for pair in PAIRINGS]
    )


def others(halves):
    return np.stack([np.stack([mean_of_others(half) for half in way]) for way in halves])


def shared(halves, *, centred=True):
    counted = np.ones(halves.shape[2:], dtype=bool)
    return Shared.of(halves, others(halves), counted, centred=centred)


def dense(rng, k, g, size=0.2, common=0.0):
    """Every gene responds; ``common`` is the share of variance that all perturbations have."""
    alike = np.sqrt(common) * rng.normal(size=(1, g))
    return size * (alike + np.sqrt(1 - common) * rng.normal(size=(k, g)))


def sparse(rng, k, g, share=0.05, size=0.6):
    return np.where(rng.random((k, g)) < share, size * rng.normal(size=(k, g)), 0.0)


def every(values):
    return np.ones(values.shape, dtype=bool)


def oracle(true, seen):
    """Scores of the true responses, where ``seen`` has shape (ways, k, g)."""
    error = np.full(true.shape, ERROR_OF_ALL)
    predicted = np.broadcast_to(true, seen.shape)
    return {
        name: values.mean()
        for name, values in scored(predicted, seen, error, every(true), LISTS).items()
    }


def ceilings(split, rows, rng):
    """The same as estimated from halves and errors alone."""
    whole, two = split.mean(axis=0), halves(split)
    error = np.full(whole.shape, ERROR_OF_ALL)
    [lists] = best_lists(whole, error, every(whole), LISTS, [rows], rng)
    found = {
        CORRELATION: shared(two).averaged().best_correlation(rows),
        ERROR: shared(two, centred=False).averaged().best_error(rows),
        **lists,
    }
    return {name: values.mean() for name, values in found.items()}


# The best possible ----------------------------------------------------------------------------

KINDS = {
    "sparse": sparse,
    "few and strong": lambda rng, k, g: sparse(rng, k, g, share=0.02, size=1.0),
    "dense": dense,
    "weak": lambda rng, k, g: dense(rng, k, g, size=0.08),
    "long tails": lambda rng, k, g: 0.2 * rng.standard_t(2, (k, g)) * (rng.random((k, g)) < 0.1),
    "half of them none": lambda rng, k, g: dense(rng, k, g) * (np.arange(k) % 2)[:, None],
}


@pytest.mark.parametrize("rows", [HALF, ALL_ROWS])
@pytest.mark.parametrize("kind", KINDS)
def test_ceilings_are_what_the_true_response_scores(kind, rows):
    """80 perturbations, 600 genes, seed 1. Correlation, error within .03; lists within .035."""
    rng = np.random.default_rng(1)
    true = KINDS[kind](rng, 80, 600)
    split = parts(rng, true, ROWS, CONTROLS)
    two = halves(split)
    seen = np.concatenate([two[:, 0], two[:, 1]]) if rows == HALF else split.mean(axis=0)[None]
    expected, found = oracle(true, seen), ceilings(split, rows, rng)
    assert found[CORRELATION] == pytest.approx(expected[CORRELATION], abs=0.03)
    assert found[ERROR] == pytest.approx(expected[ERROR], abs=0.03)
    for name in (*map(strongest_of, LISTS), DIRECTION):
        assert found[name] == pytest.approx(expected[name], abs=0.035)


def test_nothing_has_a_ceiling_of_nothing():
    """No response: correlation 0, error of no change, lists and directions of chance (seed 2)."""
    rng = np.random.default_rng(2)
    split = parts(rng, np.zeros((80, 600)), ROWS, CONTROLS)
    found = ceilings(split, HALF, rng)
    assert abs(found[CORRELATION]) < 0.06
    assert found[ERROR] == pytest.approx(1, abs=0.02)
    assert found[DIRECTION] == pytest.approx(0.5, abs=0.02)
    assert found[strongest_of(50)] == pytest.approx(50 / 600, abs=0.02)


def test_no_prediction_from_data_beats_the_ceiling():
    """Replicates and means, every metric, dense and sparse (seed 3)."""
    rng = np.random.default_rng(3)
    for kind in (sparse, dense):
        true = kind(rng, 60, 400)
        split = parts(rng, true, ROWS, CONTROLS)
        two, best = halves(split), ceilings(split, HALF, rng)
        seen = np.concatenate([two[:, 1], two[:, 0]])
        error = np.full(true.shape, ERROR_OF_ALL)
        for predictions in (two, others(two)):
            predicted = np.concatenate([predictions[:, 0], predictions[:, 1]])
            found = scored(predicted, seen, error, every(true), LISTS)
            for name, values in found.items():
                sign = -1 if name == ERROR else 1
                assert sign * values.mean() <= sign * best[name] + 0.02, name


def test_reliability_is_that_of_spearman_and_brown():
    rng = np.random.default_rng(4)
    two = halves(parts(rng, dense(rng, 10, 300)))
    found = shared(two).averaged()
    r = found.own / found.size
    assert (r > 0.2).all()
    np.testing.assert_allclose(found.reliability(ALL_ROWS), 2 * r / (1 + r))
    np.testing.assert_allclose(found.reliability(HALF), r)
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(*two[0], strict=True)]
    np.testing.assert_allclose(r, correlations, atol=0.06)


def test_the_error_of_the_best_is_the_variance_of_the_noise():
    """Squared error of no change times the ceiling, against 1/n + 1/m (seed 5)."""
    rng = np.random.default_rng(5)
    split = parts(rng, dense(rng, 60, 800), ROWS, CONTROLS)
    share = shared(halves(split), centred=False).averaged().best_error(ALL_ROWS)
    noise = (share * (split.mean(axis=0) ** 2).mean(axis=1)).mean()
    assert noise == pytest.approx(ERROR_OF_ALL**2, rel=0.05)


def test_more_rows_are_foretold():
    """Ceiling and mean from 30 rows, for four times the rows, against those of 120 (seed 6)."""
    rng = np.random.default_rng(6)
    true = dense(rng, 60, 800, common=0.3)
    few = shared(halves(parts(rng, true, 30, 300))).averaged()
    many = shared(halves(parts(rng, true, 120, 1200))).averaged()
    for name in ("best_correlation", "mean_correlation"):
        then, found = getattr(few, name)(4 * ALL_ROWS).mean(), getattr(many, name)().mean()
        assert then == pytest.approx(found, abs=0.03)
        assert then > getattr(few, name)().mean() + 0.05


def test_intervals_of_single_reliabilities_cover_the_truth():
    """95 % nominal, noise that correlates between genes; 40 × 25 intervals (seeds 0 to 24)."""
    covered = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        true = dense(rng, 40, 300) * np.linspace(0.3, 2, 40)[:, None]
        two = halves(parts(rng, true, ROWS, CONTROLS, common=0.1))
        low, high = reliability_interval(shared(two).averaged(), two, every(true))
        size = true.var(axis=1)
        truth = size / (size + ERROR_OF_ALL**2)
        covered.append((low <= truth) & (truth <= high))
    assert 0.90 <= np.mean(covered) <= 0.99


# The mean ---------------------------------------------------------------------------------------


def test_the_mean_of_others_by_brute_force():
    values = np.random.default_rng(7).normal(size=(5, 4))
    values[3] = np.nan
    found = mean_of_others(values)
    rest = [0, 1, 2, 4]
    for row in range(5):
        np.testing.assert_allclose(found[row], values[[i for i in rest if i != row]].mean(axis=0))


def test_a_common_control_makes_the_mean_look_good():
    """No response at all: trained and scored with one control the mean predicts, else not.

    With n and m rows of perturbation and control the correlation tends to the root of
    (1/m) / (1/m + 1/n) (seed 8).
    """
    rng = np.random.default_rng(8)
    split = parts(rng, np.zeros((40, 2000)), 60, 60)
    whole, two = split.mean(axis=0), halves(split)
    error, counted = np.ones(whole.shape), every(whole)
    trap = scored(mean_of_others(whole)[None], whole[None], error, counted, ())[CORRELATION]
    fair = scored(others(two)[:, 0], two[:, 1], error, counted, ())[CORRELATION]
    assert trap.mean() == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert abs(fair.mean()) < 0.05


def test_the_mean_that_is_known_exactly_is_the_true_mean():
    """Against the correlation of the true mean with what is seen; few controls (seed 9)."""
    rng = np.random.default_rng(9)
    true = dense(rng, 60, 600, common=0.5)
    split = parts(rng, true, 40, 80)
    expected = oracle(mean_of_others(true), split.mean(axis=0)[None])[CORRELATION]
    two = halves(split)
    found = shared(two).averaged().mean_correlation().mean()
    learned = scored(others(two)[:, 0], two[:, 1], every(true) + 0.0, every(true), ())
    assert found == pytest.approx(expected, abs=0.03)
    assert learned[CORRELATION].mean() < expected - 0.1
    error = shared(two, centred=False).averaged().mean_error().mean()
    truth = oracle(mean_of_others(true), split.mean(axis=0)[None])[ERROR]
    assert error == pytest.approx(truth, abs=0.05)


def above(true, rng, **options):
    """Does the interval of the difference lie above 0, as the check makes it?"""
    found = shared(halves(parts(rng, true, **options)))
    each = found.averaged().difference()
    split = split_error(np.array([way.difference().mean() for way in found.ways()]))
    error = np.hypot(each.std(ddof=1) / np.sqrt(len(each)), split)
    return t_interval(each.mean(), error, len(each))[0] > 0


@pytest.mark.parametrize("controls", [60, 600])
@pytest.mark.parametrize("size", [0.0, 0.1, 0.4])
def test_responses_that_are_all_alike_leave_nothing_to_gain(size, controls):
    """2.5 % nominal, in noise that correlates between genes; 60 studies, seed 10."""
    rng = np.random.default_rng(10)
    false = [
        above(dense(rng, 20, 200, size=size, common=1.0), rng, controls=controls, common=0.3)
        for _ in range(60)
    ]
    assert np.mean(false) <= 0.05


def test_responses_of_their_own_leave_something_to_gain():
    """40 studies (seed 11), weak responses, half of whose variance is common."""
    rng = np.random.default_rng(11)
    true = [dense(rng, 30, 300, size=0.15, common=0.5) for _ in range(40)]
    assert np.mean([above(one, rng) for one in true]) > 0.9


def test_the_spread_over_ways_to_halve_holds_the_noise_of_the_control():
    """Against the spread over repeated studies of one truth, with few controls (seed 12)."""
    rng = np.random.default_rng(12)
    true = dense(rng, 60, 200, size=0.3, common=0.5)
    values, errors, spread = [], [], []
    for _ in range(60):
        found = shared(halves(parts(rng, true, 60, 60, common=0.5)))
        each = found.averaged().difference()
        values.append(each.mean())
        spread.append(each.var(ddof=1) / len(each))
        errors.append(split_error(np.array([way.difference().mean() for way in found.ways()])) ** 2)
    assert np.mean(errors) == pytest.approx(np.var(values), rel=0.7)
    assert np.mean(errors) + np.mean(spread) > np.var(values)


# Other baselines ----------------------------------------------------------------------------------


def test_combinations_are_sums_of_what_was_seen_alone():
    values = np.arange(20.0).reshape(5, 4)
    names = [("A",), ("B",), ("A", "B"), ("A", "C"), ()]
    found = sum_of_singles(values, names)
    np.testing.assert_allclose(found[2], values[0] + values[1])
    assert np.isnan(found[[0, 1, 3, 4]]).all()


def test_additive_responses_are_predicted_by_sums():
    """Ten singles, and all their pairs without interaction (seed 13)."""
    rng = np.random.default_rng(13)
    single = dense(rng, 10, 400)
    pairs = [(i, j) for i in range(10) for j in range(i)]
    true = np.concatenate([single, [single[i] + single[j] for i, j in pairs]])
    names = [(str(i),) for i in range(10)] + [(str(i), str(j)) for i, j in pairs]
    two = halves(parts(rng, true, 200, 2000))
    sums = np.stack([np.stack([sum_of_singles(half, names) for half in way]) for way in two])
    found = scored(sums[:, 0], two[:, 1], every(true) + 0.0, every(true), (20,))
    assert np.isnan(found[CORRELATION][:10]).all()
    assert found[CORRELATION][10:].mean() > 0.8
    best = shared(two).averaged().best_correlation(HALF)[10:].mean()
    assert found[CORRELATION][10:].mean() < best


def test_no_change_scores_as_a_guess_does():
    rng = np.random.default_rng(14)
    seen = rng.normal(size=(200, 100))
    guess = scored(
        rng.normal(size=(1, 200, 100)), seen[None], np.ones(seen.shape), every(seen), (20,)
    )
    nothing = no_change(every(seen), (20,))
    for name in (strongest_of(20), DIRECTION, CORRELATION):
        assert guess[name].mean() == pytest.approx(nothing[name].mean(), abs=0.03)
    zero = scored(np.zeros((1, 200, 100)), seen[None], np.ones(seen.shape), every(seen), ())
    np.testing.assert_allclose(zero[ERROR], nothing[ERROR])


def test_noisy_genes_are_no_strong_genes():
    """Half of the genes are five times as noisy: a list by chance holds as many of the others."""
    rng = np.random.default_rng(15)
    error = np.tile(np.repeat([1.0, 5.0], 100), (50, 1))
    a, b = error * rng.normal(size=(2, 50, 200))
    found = scored(a[None], b[None], error, every(a), (20,))
    assert found[strongest_of(20)].mean() == pytest.approx(0.1, abs=0.03)
    by_change = scored(a[None], b[None], np.ones(error.shape), every(a), (20,))
    assert by_change[strongest_of(20)].mean() > 0.15


def test_genes_that_do_not_count_change_nothing():
    rng = np.random.default_rng(16)
    true = dense(rng, 8, 120)
    two = halves(parts(rng, true))
    counted = every(true)
    counted[:, :3] = False
    wild = two.copy()
    wild[..., :3] = 50.0
    for a, b in zip(
        scored(two[:, 0], two[:, 1], counted + 1.0, counted, (20,)).values(),
        scored(wild[:, 0], wild[:, 1], counted + 1.0, counted, (20,)).values(),
        strict=True,
    ):
        np.testing.assert_allclose(a, b)
    assert not known(np.zeros((8, 120)), counted).any()
