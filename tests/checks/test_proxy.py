"""Proxy: expression alone is never a pass; the ceiling is context."""

from __future__ import annotations

import pytest

from infocheck.checks.proxy import Proxy
from infocheck.result import Status


@pytest.fixture(scope="module")
def result():
    return Proxy().run(None, seed=0)


def test_sees_that_expression_alone_cannot_answer(result):
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "Bring protein levels" in result.verdict.reason
    assert result.verdict.estimate is None


def test_passes_the_ceiling_at_median_half_lives_as_context(result):
    row = result.tables["ceiling"].set_index("protein_half_life_hours").loc[46.0]
    assert row["ceiling"] == pytest.approx(0.404, abs=1e-3)
    assert row["sample_inflation"] == pytest.approx(55 / 9)


def test_ceiling_falls_as_proteins_live_longer(result):
    assert result.tables["ceiling"]["ceiling"].is_monotonic_decreasing
