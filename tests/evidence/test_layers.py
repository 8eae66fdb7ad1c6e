"""Layers of two copies are found by their names."""

from __future__ import annotations

import anndata
import numpy as np
import pytest

from infocheck.evidence import layers
from infocheck.source import open_source


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("allele1", "allele2"), True),
        (("counts_allele_1", "counts_allele_2"), True),
        (("Maternal", "Paternal"), True),
        (("ref", "alt"), True),
        (("allele1", "paternal"), False),
        (("spliced", "unspliced"), False),
    ],
)
def test_pairs_of_layers(names, found):
    values = np.arange(12.0).reshape(4, 3)
    both = {names[0]: values, names[1]: 2 * values}
    pair = layers.copies(open_source(anndata.AnnData(values, layers=both)))
    assert (pair is not None) == found
    if pair:
        assert pair.names == names
        first, second = pair.of(np.array([0, 2]), np.array([2, 0]))
        np.testing.assert_array_equal(first, values[[0, 2]][:, [2, 0]])
        np.testing.assert_array_equal(second, 2 * first)
