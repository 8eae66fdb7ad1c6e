"""Cost of correction: sees what a labelled batch does to edges, passes sound data unharmed."""

from __future__ import annotations

import pytest

from infocheck.checks.correction import Correction
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate


def run(adata, **options):
    data = Dataset.open(adata, **options)
    return Correction().run(data.with_moments(Moments.of(data)), seed=0)


@pytest.fixture(scope="module")
def confounded():
    return run(simulate(900, 150, 25, batch_share=0.4, donors=12, batches=6, seed=1))


def test_sees_that_regression_takes_batch_out(confounded):
    table = confounded.tables["corrections"].set_index("correction")
    regressed = table.loc[table.index.str.startswith("Regress")].iloc[0]
    assert table.loc["None", "nuisance_left"] > 0.25
    assert regressed["nuisance_left"] < 0.02
    assert regressed["variance_kept"] < 0.8
    assert "takes batch and donor from" in confounded.verdict.reason
    assert confounded.verdict.status is Status.BORDERLINE  # it explains, and decides nothing


def test_all_recorded_factors_are_one_of_the_corrections(confounded):
    names = list(confounded.tables["corrections"]["correction"])
    assert names[0] == "None"
    assert "Regress all recorded factors" in names
    assert names[-1] == "Remove 20 components"


def test_passes_sound_data():
    result = run(simulate(900, 150, 25, batch_share=0.01, donor_share=0.01, seed=2))
    table = result.tables["corrections"].set_index("correction")
    regressed = table.loc[table.index.str.startswith("Regress")].iloc[0]
    assert regressed["variance_kept"] > 0.93
    assert abs(regressed["stab_pc"] - table.loc["None", "stab_pc"]) < 0.05
    assert set(result.figures()) == {"corrections"}


def test_few_rows_are_not_assessed():
    result = run(simulate(9, 40, 8, donors=2, batches=1, condition=None, seed=3))
    assert result.verdict.status is Status.NOT_ASSESSED
