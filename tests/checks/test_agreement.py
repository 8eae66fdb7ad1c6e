"""Agreement: with the true network and no other, and nothing else looks at the network."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score

import infocheck
from infocheck.checks.agreement import DRAWS, Agreement
from infocheck.dataset import Dataset
from infocheck.errors import InputError
from infocheck.moments import Moments
from infocheck.networks import read_reference
from infocheck.report import Report
from infocheck.result import Status
from infocheck.simulate import simulate


@pytest.fixture(scope="module")
def adata():
    return simulate(n_obs=200, n_genes=150, n_regulators=20, donors=4, batches=1, seed=1)


@pytest.fixture(scope="module")
def data(adata):
    opened = Dataset.open(adata)
    return opened.with_moments(Moments.of(opened))


def run(data, *network, **options):
    return Agreement().run(data.with_network(read_reference(*network, **options)), seed=0)


@pytest.fixture(scope="module")
def truth(adata):
    return adata.uns["network"]


@pytest.fixture(scope="module")
def result(data, truth):
    return run(data, truth, network_class="simulator")


def others(network, seed=3):
    """The same network with the names of its regulators exchanged."""
    names = network["source"].unique()
    moved = dict(zip(names, np.roll(names, seed), strict=True))
    return network.assign(source=network["source"].map(moved))


def test_passes_the_true_network(result):
    verdict = result.verdict
    assert verdict.status is Status.BORDERLINE  # agreement is no pass
    assert verdict.need is None
    assert verdict.low > 2
    chance = result.tables["random_networks"].set_index(["method", "metric"])
    ratio = chance.xs("aupr_ratio", level="metric")
    for method in ("correlation", "partial correlation", "lasso"):
        assert ratio.loc[method, "wrong_labels_p"] == pytest.approx(1 / (DRAWS + 1))
        assert ratio.loc[method, "same_degrees_p"] == pytest.approx(1 / (DRAWS + 1))
        assert verdict.low > ratio.loc[method, "same_degrees_high"]
    assert "class of the network is simulator" in verdict.reason
    assert "; beyond random networks" in verdict.reason


def test_sees_a_network_with_other_names(data, truth):
    found = run(data, others(truth))
    assert found.verdict.estimate < 1.5
    chance = found.tables["random_networks"]
    chance = chance[chance["method"].isin(["correlation", "partial correlation", "lasso"])]
    assert (chance["same_degrees_p"] > 0.02).all()
    fdr = found.tables["fdr"]
    assert (fdr.loc[fdr["found"] > 0, "observed_fdr"] > 0.6).all()
    assert "not beyond random networks" in found.verdict.reason
    assert "not stated" in found.verdict.reason
    assert "--network-class" in found.verdict.reason


def test_scores_equal_scikit_learn(data, truth, result):
    names = data.names(np.arange(len(data.panel.genes)))
    correlation = pd.DataFrame(
        np.abs(data.moments.total().correlation()), index=names[: data.panel.p], columns=names
    )
    part = correlation.loc[truth["source"].unique(), truth["target"].unique()]
    edges = set(zip(truth["source"], truth["target"], strict=True))
    known = np.array([[(a, b) in edges for b in part.columns] for a in part.index])
    other = np.array([[a != b for b in part.columns] for a in part.index])
    scores, known = part.to_numpy()[other], known[other]
    row = result.tables["methods"].set_index("method").loc["correlation"]
    assert row["aupr"] == pytest.approx(average_precision_score(known, scores), abs=1e-9)
    assert row["auroc"] == pytest.approx(roc_auc_score(known, scores), abs=1e-9)
    facts = result.tables["network"].iloc[0]
    assert facts["pairs"] == len(scores)
    assert facts["testable_edges"] == known.sum() == len(truth)


def test_baselines_know_no_regulator(result):
    methods = result.tables["methods"].set_index("method")
    baselines = methods[methods["kind"] == "baseline"]
    assert len(baselines) == 2
    assert baselines["aupr_ratio"].between(0.7, 1.4).all()


def test_signs_are_those_of_the_edges(result, data, truth):
    row = result.tables["signs"].iloc[0]
    assert row["edges_with_sign"] == len(truth)
    assert row["consistent_share"] > 0.8
    assert row["consistent_share_low"] > row["same_degrees_high"]
    assert row["p"] < 0.01
    count = round(row["consistent_share"] * len(truth))
    interval = binomtest(count, len(truth)).proportion_ci(method="wilson")
    assert row["consistent_share_low"] == pytest.approx(interval.low)
    flipped = run(data, truth.assign(sign=-truth["sign"])).tables["signs"].iloc[0]
    assert flipped["consistent_share"] == pytest.approx(1 - row["consistent_share"])
    assert "signs" not in run(data, truth.assign(sign=0)).tables


def test_discoveries_are_those_of_the_testable_pairs(result, data, truth):
    fdr = result.tables["fdr"]
    assert (fdr["edges"] <= fdr["found"]).all()
    low, high = fdr["observed_fdr_low"], fdr["observed_fdr_high"]
    assert (low.le(fdr["observed_fdr"]) & fdr["observed_fdr"].le(high)).all()
    few = truth[truth["source"].isin(truth["source"].unique()[:4])]
    part = run(data, few).tables["fdr"]
    assert part["found"].max() < fdr["found"].max()


def test_knockoffs_keep_their_rate_where_nothing_is_hidden():
    """Gaussian regulators that correlate, and targets of two of them each: no counts, no noise.

    Of what knockoffs find at .2 at most .3 is false (about 100 found, standard error .04);
    correlation finds relatives of the regulators.
    """
    rng = np.random.default_rng(2)
    x = rng.standard_normal((600, 25)) + 0.8 * rng.standard_normal((600, 1))
    parents = np.stack([rng.choice(25, 2, replace=False) for _ in range(60)])
    y = x[:, parents].sum(axis=2) + 2 * rng.standard_normal((600, 60))
    names = [f"R{i}" for i in range(25)] + [f"t{i}" for i in range(60)]
    var = pd.DataFrame({"is_regulator": np.arange(85) < 25}, index=names)
    opened = Dataset.open(anndata.AnnData(np.hstack([x, y]), var=var))
    network = pd.DataFrame(
        {
            "source": [f"R{i}" for i in parents.ravel()],
            "target": np.repeat(names[25:], 2),
        }
    )
    made = run(opened.with_moments(Moments.of(opened)), network)
    table = made.tables["fdr"].set_index(["selector", "nominal_fdr"])
    found = table.loc[("knockoffs with lasso coefficients", 0.2)]
    assert found["found"] > 60
    assert found["observed_fdr"] < 0.3
    assert table.loc[("BH on correlation", 0.2), "observed_fdr"] > 0.6
    assert found["pairs"] == table["pairs"].max()
    chart = Agreement().plot(made.tables)["observed"]
    assert "BH on correlation at a nominal 10%" in chart.title
    assert chart.svg("observed").startswith("<svg")


def test_a_second_source_leaves_disputed_pairs_out(data, truth, result):
    rng = np.random.default_rng(5)
    kept = truth[rng.random(len(truth)) < 0.7]
    found = run(data, truth, kept)
    facts = found.tables["network"].iloc[0]
    assert facts["sources"] == 2
    assert facts["testable_edges"] == len(kept)
    assert facts["discordant_pairs"] > 0
    assert facts["pairs"] < result.tables["network"].iloc[0]["pairs"]


def test_without_a_network_it_says_what_to_bring(data):
    found = Agreement().run(data, seed=0)
    assert found.verdict.status is Status.NOT_ASSESSED
    assert "--network FILE" in found.verdict.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.apply(lambda c: c.str.swapcase() if c.name != "sign" else c), "lower case"),
        (lambda t: t.replace(r"\D+", "ENSG0000000", regex=True), "Ensembl identifiers"),
        (lambda t: t.rename(columns={"source": "target", "target": "source"}),
         "candidate regulator"),
        (lambda t: t.head(3), "at least 5 are needed"),
        (lambda t: t.assign(target=t["target"] + "x"), "--targets"),
    ],
)  # fmt: skip
def test_networks_that_do_not_fit_the_data_are_explained(data, truth, change, words):
    found = run(data, change(truth))
    assert found.verdict.status is Status.NOT_ASSESSED
    assert words in found.verdict.reason
    assert "Bring" in found.verdict.reason


@pytest.fixture(scope="module")
def small():
    return simulate(n_obs=60, n_genes=50, n_regulators=8, donors=4, batches=1, seed=1)


def test_no_verdict_depends_on_the_network(small):
    """Without a network, with the true one and with a wrong one: the same but for this check."""
    truth = small.uns["network"]

    def forecast(**options):
        report = infocheck.assess(small, seed=0, **options)
        document = json.loads(report.to_json())
        agreement = document["checks"].pop("agreement")
        for check in document["checks"].values():
            del check["seconds"]
        for key in ("seconds", "peak_memory_mb", "command"):
            del document["provenance"][key]
        return document, agreement

    plain, without = forecast()
    known, right = forecast(network=truth, network_class="simulator")
    shuffled, wrong = forecast(network=others(truth))
    assert plain == known == shuffled
    assert without["status"] == "not_assessed"
    assert right["estimate"] > wrong["estimate"]
    bare = small.copy()
    del bare.uns["network"]
    assert json.loads(infocheck.assess(bare, seed=0).to_json())["goals"] == plain["goals"]


def test_the_section_can_be_saved_and_drawn_again(small):
    report = infocheck.assess(small, network=small.uns["network"].assign(sign=0), seed=0)
    again = Report.from_json(report.to_json())
    assert again["agreement"].verdict == report["agreement"].check.judge(again["agreement"].tables)
    assert again["agreement"].figure() is not None
    page = report.to_html()
    assert "Agreement with a network" in page
    assert "figures of agreement cannot" not in page


def test_a_list_that_cannot_be_read_is_refused_before_the_data(tmp_path):
    (tmp_path / "cells.h5ad").write_bytes(b"nothing of any kind")
    (tmp_path / "network.tsv").write_text("A\n")
    with pytest.raises(InputError, match="one column"):
        infocheck.assess(tmp_path / "cells.h5ad", network=tmp_path / "network.tsv")
    for wrong in ({"network_class": "chip"}, {"second_network": tmp_path / "network.tsv"}):
        with pytest.raises(ValueError, match="needs a network"):
            infocheck.assess(tmp_path / "cells.h5ad", **wrong)


@pytest.mark.shared
def test_wrong_names_of_real_data(shared):
    """DREAM4 samples with their own network, and with that of another labelling."""
    folder = shared / "data"

    def agreement(name):
        report = infocheck.assess(folder / f"{name}.h5ad", network=folder / f"{name}.network.csv")
        return report["agreement"].verdict

    assert agreement("dream4_100_net1_multifactorial").low > 3
    assert agreement("negctrl_dream4_net1_wronggold").high < 1.3
