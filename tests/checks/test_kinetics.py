"""Kinetics: sees grids that resolve nothing, passes those that resolve the rates."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.checks.kinetics import Kinetics
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.stats.resampling import jackknife_error, share_interval
from infocheck.stats.time_order import Transitions, asymmetry
from infocheck.time_courses import courses, layout
from infocheck.time_courses.courses import Course

GENES, REGULATORS = 60, 30


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def run(adata, **options):
    return Kinetics().run(opened(adata, **options), seed=0)


def table_of(values: np.ndarray, obs: dict, **parts: object) -> anndata.AnnData:
    names = [f"G{i}" for i in range(values.shape[1])]
    index = [f"s{i}" for i in range(len(values))]
    return anndata.AnnData(
        values,
        obs=pd.DataFrame(obs, index=index),
        var=pd.DataFrame({"is_regulator": np.arange(len(names)) < REGULATORS}, index=names),
        **parts,
    )


def process(rng, times, half_life, series, genes=GENES, noise=0.1):
    x = np.empty((series, len(times), genes))
    x[:, 0] = rng.standard_normal((series, genes))
    for i, step in enumerate(np.diff(times), start=1):
        left = 2 ** (-step / half_life)
        x[:, i] = left * x[:, i - 1] + np.sqrt(1 - left**2) * rng.standard_normal((series, genes))
    return x + noise * rng.standard_normal(x.shape)


def followed(rng, half_life=2.0, step=1.0, series=12, length=60, column="time_h", noise=0.1):
    times = step * np.arange(length)
    values = process(rng, times, half_life, series, noise=noise).reshape(-1, GENES)
    obs = {column: np.tile(times, series), "series": np.repeat(np.arange(series), length)}
    return table_of(values, obs)


def snapshots(rng, half_life=8.0, times=(0, 3, 6, 12, 24, 48), cells=60, rise=1.0, **obs):
    time = np.repeat(np.array(times, dtype=float), cells)
    sign = rng.choice([-1.0, 1.0], GENES)
    values = rise * sign * (1 - 2 ** (-time / half_life))[:, None]
    values = values + 0.5 * rng.standard_normal((len(time), GENES))
    return table_of(values, {"time_h": time, **obs})


def test_passes_series_whose_steps_are_half_a_half_life():
    result = run(followed(np.random.default_rng(0)))
    verdict, tables = result.verdict, result.tables
    assert verdict.status is Status.BORDERLINE  # it explains
    assert verdict.low > 0.6
    regulators = tables["relaxation"]
    inside = regulators[regulators["rate_resolved"]]
    covered = inside["relaxation_half_life_low"].le(2) & inside["relaxation_half_life_high"].ge(2)
    assert covered.mean() > 0.85
    grid = tables["grid"].iloc[0]
    assert (grid["kind"], grid["series"], grid["times"]) == ("series", 12, 60)
    assert grid["unit"] == "hours"
    assert tables["summary"]["median_autocorrelation"][0] == pytest.approx(0.7, abs=0.03)
    assert tables["readiness"].set_index("question")["assessed"]["rates of relaxation"]


def test_passes_replicates_that_respond_alike():
    """Five replicates of eight times; what they do in common tells the rate."""
    rng = np.random.default_rng(20)
    times = np.array([0, 2, 4, 8, 12, 16, 24, 36.0])
    sign = rng.choice([-1.0, 1.0], GENES)
    course = (1 - 2 ** (-times / 6))[:, None] * sign
    values = (course + 0.05 * rng.standard_normal((5, 8, GENES))).reshape(-1, GENES)
    obs = {"time": [f"{t:g}h" for t in np.tile(times, 5)], "replicate": np.repeat(list("abcde"), 8)}
    result = run(table_of(values, obs))
    assert result.verdict.low > 0.8
    regulators = result.tables["relaxation"]
    assert (regulators["told_by"] == "response").all()
    low, high = (regulators[f"relaxation_half_life_{end}"] for end in ("low", "high"))
    assert (low.le(6) & high.ge(6)).mean() > 0.85
    assert result.tables["grid"]["unit"][0] == "hours"


def test_sees_series_that_are_sampled_too_rarely():
    """Ten half-lives between samples: nothing is kept, no rate is told."""
    result = run(followed(np.random.default_rng(1), half_life=0.1))
    assert result.verdict.estimate == 0
    assert result.verdict.high < 0.2
    assert result.tables["summary"]["median_autocorrelation"][0] < 0.05
    assert result.tables["summary"]["median_half_life"].isna().all()


def test_sees_that_noise_could_pass_for_fast_dynamics():
    """Few short series: with noise allowed for fewer rates are told than if values were exact."""
    rng = np.random.default_rng(2)
    row = run(followed(rng, series=8, length=20, noise=0.5)).tables["summary"].iloc[0]
    assert row["estimate"] < row["resolved_if_values_were_exact"]


def test_passes_snapshots_around_the_half_life():
    result = run(snapshots(np.random.default_rng(3), cells=400))
    assert result.verdict.low > 0.8
    regulators = result.tables["relaxation"]
    assert np.median(regulators["relaxation_half_life"].dropna()) == pytest.approx(8, rel=0.1)
    assert "autocorrelation" not in regulators
    readiness = result.tables["readiness"].set_index("question")
    assert not readiness["assessed"]["which gene comes first"]
    assert "different cells" in readiness["reason"]["which gene comes first"]
    rates = result.tables["rates"].set_index("parameter")
    assert rates["identifiable"]["mRNA decay"]
    assert rates["half_life"]["protein decay"] == 46


def test_sees_snapshots_that_come_too_late():
    times = (0, 24, 48, 72, 96)
    result = run(snapshots(np.random.default_rng(4), half_life=1.0, times=times))
    assert result.verdict.estimate < 0.1
    assert result.verdict.high < 0.4
    steps = result.tables["steps"]
    assert steps["share_of_genes_changed"][0] > 0.9
    assert steps["share_of_genes_changed"][1:].max() < 0.1
    assert steps["informative_transitions"].tolist() == [1, 0, 0, 0]


def test_sees_that_nothing_changes():
    result = run(snapshots(np.random.default_rng(5), rise=0.0))
    assert result.verdict.estimate < 0.1
    assert result.tables["grid"]["informative_transitions"][0] == 0
    assert "bound" not in result.tables  # without a change there is no typical noise over range
    assert set(result.figures()) == {"changes"}


def test_donors_at_every_time_are_the_samples():
    rng = np.random.default_rng(6)
    donor = np.tile(np.repeat(["a", "b", "c"], 20), 6)
    result = run(snapshots(rng, donor=donor))
    grid = result.tables["grid"].iloc[0]
    assert (grid["kind"], grid["samples_are"]) == ("snapshots", "donors")
    assert grid["samples_per_time"] == 3


def test_direction_is_told_where_it_was_planted():
    rng = np.random.default_rng(7)
    adata = followed(rng, half_life=1.0, series=10, length=30)
    values = adata.X.reshape(10, 30, GENES)
    parents = rng.integers(0, REGULATORS, (3, GENES - REGULATORS))
    before = np.concatenate([values[:, :1], values[:, :-1]], axis=1)
    driven = sum(before[:, :, parent] for parent in parents)
    values[:, :, REGULATORS:] = 0.5 * values[:, :, REGULATORS:] + driven
    adata.X = values.reshape(-1, GENES)
    row = run(adata).tables["direction"].iloc[0]
    assert row["beyond_chance"]
    assert row["regulator_leads"] > 0.6 * row["estimate"]
    none = run(followed(np.random.default_rng(8))).tables["direction"].iloc[0]
    assert not none["beyond_chance"]


def test_rows_in_another_order_give_the_same_series():
    adata = followed(np.random.default_rng(9), series=6, length=15)
    mixed = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    a, b = run(adata), run(mixed)
    pd.testing.assert_frame_equal(a.tables["relaxation"], b.tables["relaxation"])


def test_one_series_without_a_label_is_a_series():
    rng = np.random.default_rng(10)
    adata = followed(rng, series=1, length=80)
    adata.obs = adata.obs.drop(columns="series")
    grid = run(adata).tables["grid"].iloc[0]
    assert (grid["kind"], grid["series"]) == ("series", 1)


def test_unknown_unit_compares_with_steps_only():
    result = run(followed(np.random.default_rng(11), column="time"))
    readiness = result.tables["readiness"].set_index("question")
    assert not readiness["assessed"]["half-lives in hours"]
    assert set(result.tables["rates"]["parameter"]) == {"mRNA decay"}
    assert result.tables["rates"]["source"].str.endswith("steps").all()


def test_half_lives_of_the_user_take_the_place_of_medians():
    lives = pd.DataFrame(
        {
            "gene": [f"G{i}" for i in range(GENES)],
            "mrna_half_life": 2.0,
            "protein_half_life": 10.0,
        }
    )
    table = run(followed(np.random.default_rng(12)), half_lives=lives).tables["rates"]
    assert set(table["half_life"]) == {2.0, 10.0}
    kept = table.loc[table["parameter"] == "mRNA decay", "share_kept_between_samples"]
    np.testing.assert_allclose(kept, 2**-0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda obs: obs.drop(columns="time_h"), "--time"),
        (lambda obs: obs.assign(time_h=(obs["time_h"] > 9).astype(int)), "at least 3"),
        (lambda obs: obs.assign(time_h=obs["time_h"].map("stage{:g}x".format)), "no numbers"),
    ],
)
def test_without_time_nothing_is_assessed(change, words):
    adata = snapshots(np.random.default_rng(13))
    adata.obs = change(adata.obs)
    result = run(adata)
    assert result.verdict.status is Status.NOT_ASSESSED
    assert words in result.verdict.reason
    assert "Bring" in result.verdict.reason
    assert "readiness" in result.tables
    assert not result.figures()


@pytest.mark.parametrize("column", ["pseudotime", "time"])
def test_pseudotime_is_not_time(column):
    rng = np.random.default_rng(14)
    order = np.sort(rng.uniform(size=200))
    adata = table_of(rng.standard_normal((200, GENES)), {column: order})
    result = run(adata, time=column)
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "same expression" in result.verdict.reason
    assert not result.tables["readiness"]["assessed"].any()


def test_nine_rows_are_not_assessed_but_their_grid_is_known():
    adata = followed(np.random.default_rng(15), series=1, length=9)
    result = run(adata)
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "at least 10" in result.verdict.reason


def test_unspliced_counts_are_judged():
    rng = np.random.default_rng(16)
    rate = np.exp(0.8 * rng.standard_normal((300, GENES)))
    spliced, unspliced = rng.poisson(6 * rate), rng.poisson(0.05 * rate)
    adata = table_of(spliced.astype(float), {}, layers={"spliced": spliced, "unspliced": unspliced})
    result = run(adata)
    table = result.tables["velocity"].set_index("layer")
    assert table["readable_share"]["spliced"] > 0.9
    assert table["readable_share"]["unspliced"] < 0.3
    assert result.verdict.status is Status.NOT_ASSESSED  # there is no time
    adata.layers["unspliced"] = unspliced * 0.3
    assert "velocity" not in run(adata).tables


def test_copies_of_genes_split_their_noise():
    rng = np.random.default_rng(17)
    shared = np.exp(0.5 * rng.standard_normal((400, GENES)))
    copies = [rng.poisson(50 * shared).astype(float) for _ in range(2)]
    layers = {"counts_allele1": copies[0], "counts_allele2": copies[1]}
    table = run(table_of(sum(copies), {}, layers=layers)).tables["noise"].set_index("statistic")
    # Variation of the rate is shared, e^.25 - 1 = .284; that of counting is not, 1/50 and more.
    assert table["estimate"]["noise that both copies share, squared CV"] == pytest.approx(
        0.284, rel=0.15
    )
    assert table["estimate"]["noise of one copy, squared CV"] == pytest.approx(0.02, rel=0.15)
    assert table["estimate"]["shared part of the noise"] > 0.9


def test_tables_alone_are_judged_and_drawn_again():
    result = run(followed(np.random.default_rng(18), series=6, length=20))
    saved = {
        name: pd.DataFrame(table.astype(object).where(table.notna(), None).to_dict("records"))
        for name, table in result.tables.items()
    }
    again = Kinetics().judge(saved)
    assert again.reason == result.verdict.reason
    for chart in Kinetics().plot(saved).values():
        assert "<svg" in chart.svg("x")


@pytest.mark.slow
def test_interval_of_the_share_covers_what_other_series_and_regulators_show():
    """200 data sets of 30 regulators with half-lives of their own (seed 19), 95 % nominal."""
    rng = np.random.default_rng(19)
    times, found = np.arange(25.0), []
    for _ in range(200):
        lives = np.exp(rng.normal(0.5, 0.7, REGULATORS))
        values = [process(rng, times, lives, 1, REGULATORS)[0] for _ in range(12)]
        course = Course(
            times=times,
            samples=np.full(25, 12),
            what="series",
            p_values=np.ones((1, REGULATORS)),
            step=np.zeros(1, int),
            noise=np.ones(REGULATORS),
            range=np.ones(REGULATORS),
            p=REGULATORS,
            series_times=[times] * 12,
            series_values=values,
        )
        relaxed = courses.relaxation_of(course, 16.0, rng)
        share = float(relaxed.half_life.resolved(16.0).mean())
        error = float(jackknife_error(relaxed.left_out))
        found.append((share, *share_interval(share, REGULATORS, error)))
    share, low, high = np.array(found).T
    truth = share.mean()
    assert 0.1 < truth < 0.9
    coverage = ((low <= truth) & (truth <= high)).mean()
    assert coverage >= 0.93


@pytest.mark.parametrize(
    ("name", "kind", "series", "informative"),
    [
        ("dream4_100_net2_timeseries", layout.SERIES, 10, {0, 500}),
        ("dream4_10_net1_timeseries", layout.SERIES, 5, {0, 500}),
        ("cardamom_FN4", layout.SNAPSHOTS, 0, None),
    ],
)
def test_real_grids_are_read(shared, name, kind, series, informative):
    """In DREAM4 a stimulus comes at time 0 and goes at 500: most genes change there."""
    tables = run(shared / "data" / f"{name}.h5ad").tables
    assert tables["grid"]["kind"][0] == kind
    assert tables["grid"]["series"][0] == series
    if informative:
        steps = tables["steps"]
        largest = steps.nlargest(2, "share_of_genes_changed")["from_time"]
        assert set(largest) == informative


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("dream4_100_net1_interventions", 0.73),
        ("dream4_100_net2_timeseries", 0.63),
        ("yeast_segregants_yeung2011", 0.51),
    ],
)
def test_how_often_the_order_of_known_edges_is_right(shared, name, right):
    """What the page of the check says of edges that go in one direction only."""
    path = shared / "data" / f"{name}.h5ad"
    data = opened(path)
    found = courses.course(data, layout.read(data))
    names = data.names(data.panel.half_columns)
    network = anndata.read_h5ad(path).uns["network"]
    place = {gene: i for i, gene in enumerate(names)}
    edges = set(zip(network["source"], network["target"], strict=True))
    edges = [(a, b) for a, b in edges if a != b and (b, a) not in edges and {a, b} <= place.keys()]
    moves = Transitions.of(found.series_values)
    values = asymmetry(moves, moves)
    ahead = np.mean([values[place[a], place[b]] > 0 for a, b in edges])
    assert ahead == pytest.approx(right, abs=0.02)
