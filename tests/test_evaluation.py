"""Scoring predicted edges: the published DREAM5 values, strict sources, notes, no overlap."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import infocheck
from infocheck.errors import InputError
from infocheck.evaluation import KEYS, evaluate, schema

METHODS = ("community", "GENIE3", "CLR", "signed_pearson")


@pytest.fixture
def lists():
    """A ranking that knows something of a network of 12 regulators and 40 targets."""
    rng = np.random.default_rng(3)
    pairs = [(f"R{i}", f"t{j}") for i in range(12) for j in range(40)]
    truth = rng.random(len(pairs)) < 0.12
    network = pd.DataFrame(pairs, columns=["regulator", "target"]).assign(label=truth.astype(int))
    scores = rng.normal(size=len(pairs)) + 1.5 * truth
    return network.drop(columns="label").assign(score=scores), network


@pytest.mark.shared
@pytest.mark.parametrize("name", ["net1", "net3", "net4"])
def test_published_values_of_dream5(shared, name):
    folder = shared / "oracles" / "dream5"
    expected = pd.read_csv(folder / "expected.csv").set_index(["network", "method"])
    for method in METHODS:
        found = evaluate(
            folder / f"{name}_{method}.tsv.gz", folder / f"{name}_gold_standard.tsv.gz", nulls=5
        )
        row = expected.loc[(name, method)]
        assert found.aupr == pytest.approx(row["aupr_published"], abs=0.002)
        assert found.aupr == pytest.approx(row["aupr_recomputed"], abs=1e-4)
        assert found.aupr_ratio == pytest.approx(row["fold_over_prevalence"], abs=0.006)
        assert found.prevalence == pytest.approx(row["prevalence"], abs=1e-5)
        assert (found.n_pairs, found.n_edges) == (row["pairs_in_universe"], row["positives"])
        assert found.predictions["judged"] == row["evaluable_in_top_100000"]
        assert found.predictions["used"] == row["predictions_stored"]


@pytest.mark.shared
def test_the_head_of_a_published_ranking(shared):
    """Of the first 1,688 edges of the community network 209 can be judged, half are right."""
    folder = shared / "oracles" / "dream5"
    network = folder / "net3_gold_standard.tsv.gz"
    found = evaluate(folder / "net3_community.tsv.gz", network, top=1688, nulls=0)
    assert found.predictions["judged"] == 209
    assert found.predictions["edges"] / 209 == pytest.approx(0.483, abs=0.001)


@pytest.mark.shared
def test_stored_rankings_are_sorted_by_their_score(shared):
    """So the order by score, with file order in ties, is the order of the rows."""
    for file in sorted((shared / "oracles" / "dream5").glob("net*_*.tsv.gz")):
        if "gold" not in file.name:
            rows = pd.read_csv(file, sep="\t", header=None, lineterminator="\n")
            assert (np.diff(rows[2].astype(str).str.strip().astype(float)) <= 0).all()


def test_document_has_the_keys_and_fits_the_schema(lists):
    jsonschema = pytest.importorskip("jsonschema")
    for nulls in (0, 20):
        found = evaluate(*lists, nulls=nulls, network_class="curated")
        document = json.loads(found.to_json(), parse_constant=pytest.fail)
        jsonschema.validate(document, schema())
        assert document["schema"] == "infocheck.evaluate/1"
        assert set(KEYS) <= document.keys()
        assert document["network_class"] == "curated"
    assert len(document["nulls"]) == 8
    assert found.summary["metric"].tolist() == ["aupr", "aupr_ratio", "auroc", "epr"]
    assert (found.summary["wrong_labels_p"] == 1 / 21).all()
    assert "curated" in found._repr_html_()


def test_file_order_decides_among_equal_scores(lists):
    predictions, network = lists
    best_first = network.sort_values("label", ascending=False).assign(score=1.0)
    assert evaluate(best_first, network, nulls=0).aupr == 1
    worst_first = best_first.iloc[::-1]
    assert evaluate(worst_first, network, nulls=0).aupr < 0.1
    notes = " ".join(evaluate(worst_first, network, nulls=0).notes)
    assert "480 of 480" in notes
    again = evaluate(predictions.sample(frac=1, random_state=1), network, nulls=0)
    assert again.aupr == evaluate(predictions, network, nulls=0).aupr


def test_pairs_outside_the_universe_and_beyond_the_top_do_not_count(lists):
    predictions, network = lists
    more = pd.concat(
        [
            pd.DataFrame(
                {"regulator": "R0", "target": [f"u{i}" for i in range(50)], "score": 99.0}
            ),
            predictions,
        ]
    )
    plain = evaluate(predictions, network, nulls=0)
    assert evaluate(more, network, nulls=0).aupr == plain.aupr
    cut = evaluate(more, network, top=60, nulls=0)
    assert cut.predictions["judged"] == 10
    assert cut.aupr == evaluate(predictions, network, top=10, nulls=0).aupr
    assert cut.aupr < plain.aupr


def test_edges_alone_and_labels_of_all_pairs_are_the_same(lists):
    predictions, network = lists
    edges = network[network["label"] == 1].drop(columns="label")
    network = network[network["target"].isin(edges["target"])]
    assert len(network) < 480
    alone, listed = (evaluate(predictions, one, nulls=0) for one in (edges, network))
    assert [getattr(alone, key) for key in KEYS] == [getattr(listed, key) for key in KEYS]
    assert not alone.network["listed"]
    # A sign is no label: a 0 in it is an edge of unknown sign.
    signed = edges.assign(sign=0)
    assert evaluate(predictions, signed, nulls=0).n_edges == alone.n_edges


def test_a_good_ranking_beats_random_networks_and_a_random_one_does_not(lists):
    predictions, network = lists
    good = evaluate(predictions, network, nulls=99)
    assert (good.nulls["p"] == 0.01).all()
    rng = np.random.default_rng(5)
    guesses = [predictions.assign(score=rng.random(len(predictions))) for _ in range(9)]
    p_values = [evaluate(guess, network, nulls=39).nulls["p"] for guess in guesses]
    assert (np.median(p_values, axis=0) > 0.2).all()


def test_a_network_with_other_names_is_not_recovered(lists):
    """The right ranking against the right network with its regulators exchanged."""
    predictions, network = lists
    swapped = network.assign(
        regulator="R" + ((network["regulator"].str[1:].astype(int) + 5) % 12).astype(str)
    )
    found = evaluate(predictions, swapped, nulls=99)
    assert found.aupr_ratio < 1.5
    assert (found.nulls["p"] > 0.05).all()


def test_two_sources_give_strict_pairs(lists):
    predictions, network = lists
    rng = np.random.default_rng(8)
    other = network.assign(label=np.where(rng.random(len(network)) < 0.1, 1, network["label"]))
    found = evaluate(predictions, network, second=other, nulls=5)
    disputed = int((network["label"] != other["label"]).sum())
    assert found.network["discordant_pairs"] == disputed
    assert found.n_pairs == len(network) - disputed
    assert found.n_edges == int(network["label"].sum())
    assert any("disagree" in note for note in found.notes)


def test_signed_scores(lists):
    predictions, network = lists
    rng = np.random.default_rng(9)
    sign = rng.choice([-1, 1], len(network))
    edges = network.assign(sign=sign)[network["label"] == 1].drop(columns="label")
    signed = predictions.assign(score=(predictions["score"] - predictions["score"].min()) * sign)
    found = evaluate(signed, edges, absolute=True, nulls=0)
    assert found.aupr == evaluate(predictions, edges, nulls=0).aupr
    # The lowest score is 0 and has no sign.
    assert found.signs["share"] == 1
    assert found.signs["n"] >= len(edges) - 1
    assert evaluate(predictions.assign(score=1), edges, nulls=0).signs is None
    flipped = evaluate(signed.assign(score=-signed["score"]), edges, absolute=True, nulls=0)
    assert flipped.signs["share"] == 0


def test_the_class_that_was_not_stated_is_said(lists):
    found = evaluate(*lists, nulls=0)
    assert found.network_class is None
    assert "class not stated" in found.lines()[0]
    assert any("--network-class" in line for line in found.lines())
    prior = evaluate(*lists, nulls=0, network_class="prior")
    assert any("no recovery" in note for note in prior.notes)


def test_names_that_do_not_meet_are_explained(lists):
    predictions, network = lists
    upper = predictions.assign(target=predictions["target"].str.upper())
    with pytest.raises(InputError, match="differ by upper and lower case"):
        evaluate(upper, network)
    swapped = predictions.rename(columns={"regulator": "target", "target": "regulator"})
    with pytest.raises(InputError, match="first two columns of one are swapped"):
        evaluate(swapped, network)
    with pytest.raises(InputError, match="use the same names"):
        evaluate(predictions.assign(target="q"), network)
    part = upper.assign(target=np.where(np.arange(480) % 3, predictions["target"], upper["target"]))
    notes = " ".join(evaluate(part, network, nulls=0).notes)
    assert "upper and lower case" in notes
    assert "upper and lower case" not in " ".join(evaluate(predictions, network, nulls=0).notes)


def test_predictions_of_one_direction_are_noticed():
    genes = [f"g{i}" for i in range(9)]
    edges = pd.DataFrame(pairwise(genes))
    back = pd.DataFrame((b, a) for a, b in pairwise(genes))
    some = pd.concat([back, pd.DataFrame([("g0", "g5"), ("g0", "g1")])])
    notes = evaluate(some, edges, nulls=0).notes
    assert any("other direction alone: 7" in note for note in notes)


def test_networks_without_contrast_are_refused(lists):
    predictions, network = lists
    every = network.drop(columns="label")
    with pytest.raises(InputError, match="every pair of a regulator and a target is an edge"):
        evaluate(predictions, every)
    other = every.assign(target="x" + every["target"])
    with pytest.raises(InputError, match="share no edge"):
        evaluate(predictions, network, second=other)
    for wrong in ({"top": 0}, {"nulls": -1}, {"network_class": "truth"}):
        with pytest.raises(ValueError, match=r"top must|unknown network class"):
            evaluate(predictions, network, **wrong)


def test_the_same_seed_gives_the_same_document(lists):
    def numbers(seed):
        document = evaluate(*lists, nulls=30, seed=seed).to_document()
        del document["provenance"]
        return document

    assert numbers(1) == numbers(1)
    assert numbers(1) != numbers(2)


def test_it_is_public_and_writes_its_document(lists, tmp_path):
    found = infocheck.evaluate(*lists, nulls=0)
    assert isinstance(found, infocheck.Evaluation)
    text = found.to_json(tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text("utf-8").strip() == text
