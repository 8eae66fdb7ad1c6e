"""Systems: what is shipped, ranges, and what a pilot measures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from infocheck.dataset import Dataset
from infocheck.errors import InputError
from infocheck.moments import Moments
from infocheck.planning import pilot, system
from infocheck.planning.system import FIELDS, INTENSITY, READS, UMIS, Field
from infocheck.simulate import simulate

KINDS = {
    "bacteria_microarray": INTENSITY,
    "human_bulk_tissue": READS,
    "human_pbmc_10x": UMIS,
    "human_thp1_perturb": UMIS,
    "yeast_segregants": INTENSITY,
}


def measured(data, **roles) -> system.System:
    opened = Dataset.open(data, **roles)
    return pilot.measure(opened.with_moments(Moments.of(opened)))


# Shipped -----------------------------------------------------------------------------------


def test_these_are_shipped():
    assert {name: system.shipped(name).kind for name in system.names()} == KINDS


@pytest.mark.parametrize("name", KINDS)
def test_a_shipped_system_says_where_every_number_is_from(name):
    one = system.shipped(name)
    assert one.name == name
    assert set(one.fields) == set(FIELDS[one.kind])
    for field in one.fields.values():
        assert field.basis in ("measured", "cited", "assumed")
        assert len(field.source) > 10
        assert "/" not in field.source  # no path of any machine
        assert field.low < field.high  # nothing is known for sure
    assert one.regulators >= 100
    assert min(one.costs.values()) >= 0
    assert system.from_document(system.to_document(one)) == one


def test_no_intraclass_correlation_is_measured_on_fewer_than_six_donors():
    """Only the yeast panel, with 97 strains, has it measured."""
    bases = {name: system.shipped(name).fields["icc"].basis for name in KINDS}
    assert bases.pop("yeast_segregants") == "measured"
    assert "97 strains" in system.shipped("yeast_segregants").fields["icc"].source
    assert set(bases.values()) == {"assumed"}


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(InputError, match=r"Did you mean human_pbmc_10x\? There are bacteria"):
        system.shipped("human_pbmc")


def test_an_impossible_system_is_refused():
    one = system.shipped("human_pbmc_10x")
    for field in (
        Field(0.3, 0.2, 0.4, "assumed", "x"),
        Field(0.1, 0.2, 1.4, "assumed", "x"),
        Field(0.1, math.nan, 0.4, "assumed", "x"),
        Field(0.1, 0.2, 0.4, "guessed", "x"),
        Field(0.1, 0.2, 0.4, "assumed", ""),
    ):
        with pytest.raises(ValueError, match="icc"):
            replace(one, fields={**one.fields, "icc": field})
    with pytest.raises(ValueError, match="fields do not fit: icc"):
        replace(one, fields={k: v for k, v in one.fields.items() if k != "icc"})


# Ranges ------------------------------------------------------------------------------------


def test_a_range_is_a_95_percent_interval():
    one = system.shipped("human_pbmc_10x")
    drawn = one.draw(np.random.default_rng(1), 4000)
    for name, field in one.fields.items():
        values = np.array([row[name] for row in drawn])
        assert ((values < field.low).mean(), (values > field.high).mean()) == pytest.approx(
            (0.025, 0.025), abs=0.012
        ), name
        assert np.median(values) == pytest.approx(field.central, rel=0.05, abs=0.02), name
        words = FIELDS[UMIS][name]
        assert words.least <= values.min()
        assert values.max() <= words.most


def test_a_range_of_ratios_is_even_on_the_log_scale():
    words = FIELDS[UMIS]["icc"]
    field = Field(0.01, 0.04, 0.16, "assumed", "x")
    assert field.shifted(1.959964 / 2, words) == pytest.approx(0.08)
    assert field.shifted(-1.959964, words) == pytest.approx(0.01)


# Pilots ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counted() -> system.System:
    data = simulate(
        2400, 400, 40, donors=12, batches=1, donor_share=0.2, batch_share=0.0, depth=3000, seed=3
    )
    return measured(data, donor="donor")


def test_a_pilot_gives_back_what_was_simulated(counted):
    """Log-normal rates of spread .5: CV² .284 for every gene; donors with a share of .2."""
    for who in ("regulator", "target"):
        cv2 = counted.fields[f"{who}_log_cv2"]
        assert math.exp(cv2.central) == pytest.approx(0.284, rel=0.12)
        assert cv2.low < cv2.central < cv2.high
        assert counted.fields[f"{who}_log_cv2_sd"].central < 0.35
        assert abs(counted.fields[f"{who}_log_cv2_slope"].central) < 0.1
        # Shares are log-normal of spread 1 around 1/400 exp(-1/2).
        share = counted.fields[f"{who}_log_share"].central
        # 40 regulators leave the mean of their logarithms uncertain by 0.16.
        assert share == pytest.approx(-math.log(400) - 0.5, abs=0.45)
        assert counted.fields[f"{who}_log_share_sd"].central == pytest.approx(1.0, abs=0.15)
    icc = counted.fields["icc"]
    assert icc.basis == "measured"
    # Of the variance of rates donors have a little less than of that of their logarithms.
    share = math.expm1(0.25 * 0.2) / math.expm1(0.25)
    assert icc.central == pytest.approx(share, rel=0.15)
    assert icc.low < share < icc.high
    assert (counted.kind, counted.row, counted.regulators) == (UMIS, "cell", 40)
    assert counted.fields["umis_at_saturation"].basis == "assumed"


def test_regulators_that_share_a_factor_are_seen(counted):
    """Blocks of five with a correlation of .3: mean square (.3² · 4/39) within donors."""
    found = counted.fields["regulator_correlation"]
    assert found.central == pytest.approx(0.09 * 4 / 39 * 0.64, abs=0.01)
    alone = measured(simulate(2400, 400, 40, batches=1, duplicates=20, depth=3000, seed=3))
    # Each of 20 regulators has a copy, which explains it wholly.
    assert alone.fields["regulator_r2"].central > counted.fields["regulator_r2"].central + 0.2


def test_few_donors_give_no_intraclass_correlation():
    one = measured(simulate(600, 200, 20, donors=4, batches=1, seed=1), donor="donor")
    assert one.fields["icc"].basis == "assumed"
    assert one.fields["icc"].source.startswith("4 donors are labelled; at least 6")


def test_cell_types_are_taken_out_of_the_variation():
    data = simulate(3000, 300, 30, cell_types=4, batches=1, batch_share=0, depth=4000, seed=2)
    within = measured(data, cell_type="cell_type").fields["target_log_cv2"].central
    data.obs = data.obs.drop(columns="cell_type")
    pooled = measured(data).fields["target_log_cv2"].central
    # Types take .2 of the latent variance of .25.
    assert math.exp(within) == pytest.approx(math.expm1(0.25 * 0.8), rel=0.12)
    assert math.exp(pooled) == pytest.approx(math.expm1(0.25), rel=0.12)


def test_values_that_are_no_counts_have_no_depth():
    data = simulate(300, 200, 20, donors=8, seed=1)
    data.X = np.log1p(data.X.toarray() / 3)
    one = measured(data, donor="donor")
    assert one.kind == INTENSITY
    assert not one.has_depth
    assert "counting noise cannot be told from biology" in one.notes[0]
    assert one.fields["target_reliability"].basis == "assumed"


def test_bulk_libraries_are_known_by_their_totals():
    one = measured(simulate(60, 200, 20, donors=30, depth=2e6, seed=1))
    assert (one.kind, one.row) == (READS, "sample")


def test_a_pilot_of_few_genes_or_rows_is_measured_all_the_same():
    tiny = measured(simulate(40, 12, 4, donors=2, batches=1, depth=400, seed=1))
    assert set(tiny.fields) == set(FIELDS[UMIS])
    assert all(math.isfinite(field.central) for field in tiny.fields.values())
    assert tiny.fields["regulator_r2"].basis in ("assumed", "measured")
    rare = measured(simulate(200, 100, 10, depth=20, seed=1))
    assert all(math.isfinite(field.central) for field in rare.fields.values())
