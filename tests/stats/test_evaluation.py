"""Scores of rankings against scikit-learn and brute force; random networks that are random."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare
from sklearn.metrics import average_precision_score, roc_auc_score

from infocheck.stats.evaluation import (
    REWIRED,
    WRONG_LABELS,
    Pairs,
    Ranking,
    against_null,
    null_networks,
    observed_fdr,
    ratio_interval,
    rewired,
    sign_consistency,
)


def crossed(rows: int, columns: int, own: dict[int, int] | None = None) -> Pairs:
    place = np.full(rows, -1)
    for row, column in (own or {}).items():
        place[row] = column
    return Pairs(rows, columns, place)


@pytest.fixture
def scored():
    rng = np.random.default_rng(1)
    truth = rng.random(400) < 0.1
    return rng.normal(size=400) + truth, truth


def test_distinct_scores_give_the_areas_of_scikit_learn(scored):
    scores, truth = scored
    found = Ranking.of_scores(scores).score(np.flatnonzero(truth))
    assert found.aupr == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert found.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert found.prevalence == pytest.approx(truth.mean())
    first = np.argsort(-scores)[: truth.sum()]
    assert found.epr == pytest.approx(truth[first].mean() / truth.mean(), abs=1e-12)
    assert found.aupr_ratio == pytest.approx(found.aupr / found.prevalence)


def test_ties_and_pairs_that_were_not_predicted_are_in_random_order(scored):
    """The mean over random orders of every block, which is what the closed form promises."""
    scores, truth = scored
    coarse = np.round(scores * 2)
    found = Ranking.of_scores(coarse).score(np.flatnonzero(truth))
    assert found.auroc == pytest.approx(roc_auc_score(truth, coarse), abs=1e-12)
    head = np.argsort(-scores)[:50]
    tail = Ranking.of_order(head, 400).score(np.flatnonzero(truth))

    rng, k = np.random.default_rng(2), int(truth.sum())
    drawn = []
    for _ in range(1500):
        order = np.argsort(-coarse + 0.5 * rng.random(400))
        rest = rng.permutation(np.setdiff1d(np.arange(400), head))
        both = [truth[order], truth[np.concatenate([head, rest])]]
        drawn.append([one[:k].mean() / truth.mean() for one in both])
        rank = np.arange(1, 401)
        drawn[-1] += [(np.cumsum(one) / rank)[one].mean() for one in both]
    early, early_tail, area, area_tail = np.mean(drawn, axis=0)
    assert found.epr == pytest.approx(early, rel=0.01)
    assert tail.epr == pytest.approx(early_tail, rel=0.01)
    # DREAM5 takes the expected curve, which is not quite the mean of the areas.
    assert found.aupr == pytest.approx(area, rel=0.03)
    assert tail.aupr == pytest.approx(area_tail, rel=0.03)


def test_the_expected_tail_is_that_of_the_challenge():
    """TP(n0 + j) = TP0 + (P - TP0) j / (L - n0), summed rank by rank."""
    rng = np.random.default_rng(3)
    size, head = 300, rng.permutation(300)[:40]
    true = rng.permutation(300)[:30]
    hits = np.isin(head, true)
    start = hits.sum()
    tail = start + (30 - start) * np.arange(1, size - 40 + 1) / (size - 40)
    found = np.concatenate([np.cumsum(hits), tail])
    rank = np.arange(1, size + 1)
    area = (np.diff(found, prepend=0) / 30) @ (found / rank)
    false = rank - found
    roc = (np.diff(false, prepend=0) / 270) @ ((found + np.append(0, found[:-1])) / 2 / 30)
    scores = Ranking.of_order(head, size).score(true)
    assert scores.aupr == pytest.approx(area, abs=1e-10)
    assert scores.auroc == pytest.approx(roc, abs=1e-10)
    assert scores.epr == pytest.approx(found[29] / 30 / 0.1, abs=1e-10)


def test_a_constant_guesses_and_a_perfect_ranking_is_perfect():
    true = np.arange(20)
    constant = Ranking.of_scores(np.zeros(200)).score(true)
    assert constant.values() == pytest.approx([0.1, 1, 0.5, 1])
    assert Ranking.of_order(np.array([], int), 200).score(true).values() == pytest.approx(
        constant.values()
    )
    perfect = Ranking.of_order(np.arange(200), 200).score(true)
    assert perfect.values() == pytest.approx([1, 10, 1, 10])
    assert np.isnan(Ranking.of_scores(np.zeros(3)).score(np.arange(3)).values()).all()
    assert np.isnan(Ranking.of_scores(np.zeros(3)).score(np.array([], int)).values()).all()


def test_a_subset_keeps_the_order():
    rng = np.random.default_rng(5)
    scores, kept = np.round(rng.normal(size=90), 1), rng.random(90) < 0.6
    part = Ranking.of_scores(scores).subset(kept)
    again = Ranking.of_scores(scores[kept])
    true = np.flatnonzero(rng.random(int(kept.sum())) < 0.2)
    assert part.score(true).values() == pytest.approx(again.score(true).values())
    with pytest.raises(ValueError, match="every pair"):
        Ranking.of_order(np.arange(3), 9).subset(np.ones(9, bool))


@pytest.mark.parametrize("listed", [False, True])
def test_pairs_are_numbered_without_a_gene_and_itself(listed):
    pairs = crossed(3, 4, {0: 2, 2: 0})
    if listed:
        pairs = Pairs(3, 4, pairs.own, np.array([0, 1, 3, 4, 5, 6, 7, 9, 10, 11]))
    assert pairs.size == 10
    row, column = pairs.all()
    assert len(row) == 10
    assert (pairs.position(row, column) == np.arange(10)).all()
    assert pairs.position(np.array([0, 2]), np.array([2, 0])).tolist() == [-1, -1]


# --- random networks --------------------------------------------------------------------------


def test_edges_dealt_out_anew_keep_every_degree_and_stay_on_pairs():
    rng = np.random.default_rng(7)
    own = {r: r for r in range(12)}
    pairs = crossed(25, 40, own)
    row, column = pairs.all()
    chosen = rng.random(pairs.size) < 0.15
    row, column = row[chosen], column[chosen]
    before = np.sort(pairs.position(row, column))
    moved = []
    for drawn in rewired(pairs, row, column, 30, rng):
        place = pairs.position(drawn, column)
        assert (place >= 0).all()
        assert len(np.unique(place)) == len(place)
        assert (np.bincount(drawn, minlength=25) == np.bincount(row, minlength=25)).all()
        moved.append((~np.isin(place, before)).mean())
    assert np.mean(moved) > 0.7


def test_on_a_small_graph_all_networks_are_equally_likely():
    """Three rows of two edges and three columns of two: six networks."""
    pairs = crossed(3, 3)
    row, column = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 2, 0, 2])
    rng = np.random.default_rng(11)
    seen = Counter(
        tuple(np.sort(pairs.position(drawn, column)).tolist())
        for drawn in rewired(pairs, row, column, 1500, rng)
    )
    assert len(seen) == 6
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_with_unequal_degrees_and_forbidden_pairs_too():
    """All networks of these degrees, by brute force over rows of the table."""
    pairs = crossed(3, 4, {0: 3})
    row, column = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 2, 3, 0])
    degree = np.bincount(column, minlength=4)

    def tables():
        options = [[(a, b) for a in range(4) for b in range(a)] for _ in range(2)]
        for first in options[0]:
            for second in options[1]:
                for third in range(4):
                    total = np.bincount([*first, *second, third], minlength=4)
                    if 3 not in first and (total == degree).all():
                        yield first, second, third

    expected = len(list(tables()))
    assert expected > 3
    draws = rewired(pairs, row, column, 2000, np.random.default_rng(13))
    seen = Counter(tuple(np.sort(pairs.position(one, column)).tolist()) for one in draws)
    assert len(seen) == expected
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_nulls_of_a_ranking_that_knows_nothing_lie_around_guessing():
    rng = np.random.default_rng(17)
    pairs = crossed(20, 60)
    chosen = rng.permutation(pairs.size)[:120]
    row, column = (part[chosen] for part in pairs.all())
    ranking = Ranking.of_scores(rng.random(pairs.size))
    nulls = null_networks({"a": ranking}, pairs, row, column, 100, rng)
    for null in nulls.values():
        assert null.is_random
        assert null.scores["a"][:, 1].mean() == pytest.approx(1, abs=0.1)
        assert null.scores["a"][:, 2].mean() == pytest.approx(0.5, abs=0.02)
        assert null.inside == 1


def test_hubs_alone_beat_wrong_labels_but_not_the_same_degrees():
    rng = np.random.default_rng(19)
    pairs = crossed(20, 80)
    row, column = pairs.all()
    strength = np.arange(20) / 40
    truth = rng.random(pairs.size) < strength[row]
    ranking = Ranking.of_scores(strength[row] + 1e-6 * rng.random(pairs.size))
    value = ranking.score(np.flatnonzero(truth)).aupr_ratio
    nulls = null_networks({"a": ranking}, pairs, row[truth], column[truth], 200, rng)
    draws = {kind: null.scores["a"][:, 1] for kind, null in nulls.items()}
    assert against_null(value, draws[WRONG_LABELS])["p"] < 0.02
    assert against_null(value, draws[REWIRED])["p"] > 0.05


def test_p_values_of_the_null_are_uniform():
    """A random ranking against a random network, 80 times."""
    rng = np.random.default_rng(23)
    pairs = crossed(8, 20)
    found = {WRONG_LABELS: [], REWIRED: []}
    for _ in range(80):
        chosen = rng.permutation(pairs.size)[:30]
        row, column = (part[chosen] for part in pairs.all())
        ranking = Ranking.of_scores(rng.random(pairs.size))
        nulls = null_networks({"a": ranking}, pairs, row, column, 39, rng)
        value = ranking.score(chosen).aupr_ratio
        for kind, null in nulls.items():
            found[kind].append(against_null(value, null.scores["a"][:, 1])["p"])
    for values in found.values():
        # 4 of 80 expected; more than 10 in 0.2 % of runs.
        assert (np.array(values) <= 0.05).sum() <= 10
        assert 0.4 < np.mean(values) < 0.6


def test_a_network_that_cannot_be_changed_has_no_null():
    pairs = crossed(1, 30)
    row, column = np.zeros(5, int), np.arange(5)
    ranking = Ranking.of_order(np.arange(30), 30)
    nulls = null_networks({"a": ranking}, pairs, row, column, 10, np.random.default_rng(0))
    assert not nulls[REWIRED].is_random
    assert nulls[WRONG_LABELS].is_random
    none = null_networks({"a": ranking}, pairs, row, column, 0, np.random.default_rng(0))
    assert not any(null.is_random for null in none.values())


def test_p_counts_the_observed_network():
    null = np.arange(99.0)
    assert against_null(1000, null)["p"] == pytest.approx(0.01)
    assert against_null(-1, null)["p"] == 1
    assert against_null(98, null)["p"] == pytest.approx(0.02)
    assert np.isnan(list(against_null(1.0, np.array([])).values())).all()


# --- intervals, signs, discoveries --------------------------------------------------------------


def test_the_interval_covers_the_ratio_of_all_targets():
    """Rankings of 60 of 2,000 targets; the truth is the ratio over all of them."""
    rng = np.random.default_rng(29)
    big = crossed(15, 2000)
    truth = rng.random(big.size) < 0.15
    scores = rng.normal(size=big.size) + 1.5 * truth
    whole = Ranking.of_scores(scores).score(np.flatnonzero(truth)).aupr_ratio
    covered = 0
    for _ in range(60):
        chosen = np.sort(rng.choice(2000, 60, replace=False))
        part = (np.arange(15)[:, None] * 2000 + chosen).ravel()
        pairs = crossed(15, 60)
        row, column = (one[truth[part]] for one in pairs.all())
        ranking = Ranking.of_scores(scores[part])
        _, low, high = ratio_interval(ranking, pairs, row, column, rng)
        covered += low <= whole <= high
    assert covered >= 51  # 57 expected; fewer than 51 in 1 % of runs at 0.95


def test_one_target_tells_nothing_of_others():
    pairs = crossed(8, 1)
    row, column = np.arange(2), np.zeros(2, int)
    ranking = Ranking.of_scores(np.arange(8.0)[::-1])
    rng = np.random.default_rng(0)
    assert ratio_interval(ranking, pairs, row, column, rng) == (4, 0, 4)


def test_signs_that_are_unknown_do_not_count():
    sign = np.array([1, -1, 1, 0, 1, -1])
    predicted = np.array([2.0, -3.0, -1.0, 5.0, np.nan, 0.0])
    share, low, high, number = sign_consistency(sign, predicted)
    assert (share, number) == (2 / 3, 3)
    assert low < share < high
    assert np.isnan(sign_consistency(np.zeros(3), np.ones(3))[0])


def test_observed_false_discoveries():
    share, low, high = observed_fdr(np.array([True] * 30 + [False] * 70))
    margin = 1.96 * np.sqrt(0.3 * 0.7 / 100)
    assert (share, low, high) == pytest.approx((0.7, 0.7 - margin, 0.7 + margin))
    # With all of a kind the formula has no width.
    share, low, high = observed_fdr(np.zeros(4, bool))
    assert (share, high) == (1.0, 1.0)
    assert 0.4 < low < 0.6
    assert np.isnan(observed_fdr(np.array([], bool))).all()


def test_the_same_seed_draws_the_same_networks():
    pairs = crossed(10, 12)
    row, column = (part[::5] for part in pairs.all())
    draws = [
        np.array(list(rewired(pairs, row, column, 3, np.random.default_rng(1)))) for _ in range(2)
    ]
    assert all((a == b).all() for a, b in pairwise(draws))
