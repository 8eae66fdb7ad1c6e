"""The whole road: same numbers, nothing mutated, nothing leaked."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import infocheck as ic
from infocheck.simulate import demo, simulate


def document(report):
    """The JSON without what may differ between runs."""
    found = json.loads(report.to_json())
    for key in ("seconds", "peak_memory_mb"):
        found["provenance"].pop(key)
    for check in found["checks"].values():
        check.pop("seconds")
    return found


@pytest.fixture(scope="module")
def adata():
    return simulate(n_obs=300, n_genes=80, n_regulators=12, seed=5)


def test_same_seed_same_numbers_and_another_seed_others(adata):
    one, two, other = (document(ic.assess(adata, seed=s)) for s in (0, 0, 1))
    assert one == two
    assert one["checks"]["stability"]["estimate"] != other["checks"]["stability"]["estimate"]


def test_worker_count_changes_no_byte(adata):
    assert document(ic.assess(adata, jobs=1)) == document(ic.assess(adata, jobs=2))


def test_the_adata_is_not_changed(adata):
    before = adata.copy()
    ic.assess(adata)
    assert (before.X != adata.X).nnz == 0
    pd.testing.assert_frame_equal(before.obs, adata.obs)
    pd.testing.assert_frame_equal(before.var, adata.var)
    assert set(before.uns) == set(adata.uns)
    assert not adata.layers


@pytest.mark.parametrize("change", ["delete", "shuffle"])
def test_the_gold_standard_changes_nothing(adata, tmp_path, change):
    marked = adata.copy()
    marked.var["is_gold_source"] = np.arange(80) < 5
    other = marked.copy()
    if change == "delete":
        del other.var["is_gold_source"], other.uns["network"]
    else:
        rng = np.random.default_rng(0)
        other.var["is_gold_source"] = rng.permutation(other.var["is_gold_source"].to_numpy())
        network = other.uns["network"]
        other.uns["network"] = network.assign(target=rng.permutation(network["target"].to_numpy()))
    found = []
    for name, version in (("a", marked), ("b", other)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "same.h5ad"
        version.write_h5ad(path)
        found.append(document(ic.assess(path)))
        found[-1]["dataset"].pop("sha256")  # of the file, which did change
    assert found[0] == found[1]


def test_the_answer_is_refused_as_a_list_of_regulators(adata):
    with pytest.raises(ic.InputError, match="leaks the answer"):
        ic.assess(adata, regulators="var:is_gold_source")


def test_demo_is_what_the_page_says():
    report = ic.assess(demo())
    assert report.dataset["simulated"]
    assert "simulated" in report.to_html().lower()
    assert report["reliability"].verdict.status == "enough"
    assert report.dataset["roles"]["donor"]["levels"] == 8


def test_results_rebuild_from_the_document(adata):
    report = ic.assess(adata)
    again = ic.Report.from_json(report.to_json())
    for name, result in again.results.items():
        judged = report.results[name].verdict
        assert result.verdict.status == judged.status
        if result.tables and judged.estimate is not None:
            assert result.check.judge(result.tables).status == judged.status
            assert result.figures()


def test_six_and_nine_observations_still_report(adata):
    for n in (6, 9):
        report = ic.assess(adata[:n].copy())
        assert report["stability"].verdict.status == "not_assessed"
        assert report.goals["whole_network"].verdict == "excluded"
        assert not any(r.verdict.status == "error" for r in report.results.values())


def test_an_unknown_goal_is_refused(adata):
    with pytest.raises(ValueError, match="one of modules"):
        ic.assess(adata, goal="everything")


def test_hostile_names_pass_through(adata):
    hostile = adata.copy()
    names = list(hostile.var_names)
    names[0], names[1] = "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'
    hostile.var_names = names
    hostile.obs["batch"] = hostile.obs["batch"].cat.rename_categories(lambda b: f"</script>{b}")
    page = ic.assess(hostile).to_html()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_every_row_twice_is_still_a_report():
    x = np.random.default_rng(0).poisson(3, (40, 30)).astype(float)
    twice = ad.AnnData(np.vstack([x, x]))
    assert ic.assess(twice, regulators=[str(i) for i in range(8)]).goals
