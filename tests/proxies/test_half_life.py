"""Ceilings of half-lives: the user's alone, by regulator, with a stated error."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.proxies import coupling, half_life
from infocheck.proxies.table import CEILING, COLUMNS
from infocheck.stats.kinetics import coupling_ceiling

NAMES = [f"G{i}" for i in range(12)]


def opened(*, counts=True, **options):
    rng = np.random.default_rng(0)
    values = rng.poisson(rng.gamma(4.0, 2.0, size=(80, 12))).astype(float)
    if not counts:
        values = rng.normal(size=(80, 12))
    adata = anndata.AnnData(
        values, var=pd.DataFrame({"is_regulator": [True] * 5 + [False] * 7}, index=NAMES)
    )
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


LIVES = pd.DataFrame(
    {
        "gene": ["G0", "G1", "G2", "G9"],
        "mrna_half_life_h": [9.0, 5.0, np.nan, 4.0],
        "protein_half_life_h": [46.0, 5.0, 8.0, 4.0],
    }
)


def test_only_regulators_with_both_half_lives_have_a_ceiling():
    data = opened(half_lives=LIVES)
    table = half_life.evidence(half_life.ceilings(data))
    assert tuple(table.columns) == COLUMNS
    assert table["regulator"].tolist() == ["G0", "G1"]
    assert set(table["kind"]) == {CEILING}
    assert table["coupling"].tolist() == pytest.approx([0.404, np.sqrt(0.5)], abs=1e-3)
    low, high = table["coupling_low"], table["coupling_high"]
    assert low[1] == pytest.approx(coupling_ceiling(5, 10))
    assert high[1] == pytest.approx(coupling_ceiling(10, 5))
    found = coupling.of(data)
    assert len(found.by_evidence) == 2
    assert not found.is_assessed
    assert found.regulators.empty


def test_the_observable_ceiling_knows_counting_noise():
    data = opened(half_lives=LIVES)
    table = half_life.ceilings(data).set_index("regulator")
    position = {name: i for i, name in enumerate(data.names(data.panel.expressed))}
    reliability = data.moments.technical.reliability()[data.panel.expressed]
    for name in ("G0", "G1"):
        expected = table.loc[name, "ceiling"] * np.sqrt(reliability[position[name]])
        assert table.loc[name, "observable_ceiling"] == pytest.approx(expected)
        assert 0 < expected < table.loc[name, "ceiling"]
    assert table.loc["G1", "least_inflation"] == pytest.approx(2.0)
    unknown = half_life.ceilings(opened(counts=False, half_lives=LIVES))
    assert unknown["observable_ceiling"].isna().all()
    assert unknown["ceiling"].notna().all()


def test_without_a_table_there_is_no_evidence():
    data = opened()
    assert half_life.evidence(half_life.ceilings(data)).empty
    assert half_life.ceilings(data).empty
    assert coupling.of(data).by_evidence.empty
