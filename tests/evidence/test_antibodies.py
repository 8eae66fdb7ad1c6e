"""Names of antibodies: genes behind them, modified forms, isotype controls."""

from __future__ import annotations

import re

import numpy as np
import pytest

from infocheck.evidence.antibodies import ALIASES, ISOTYPE, LEVEL, MODIFIED, form, symbols
from infocheck.evidence.proteins import matched


@pytest.mark.parametrize(
    ("name", "gene"),
    [
        ("CD3", "CD3E"),
        ("anti-CD8", "CD8A"),
        ("CD45", "PTPRC"),
        ("B220 (CD45R)", "PTPRC"),
        ("MHCII (HLA-DR)", "HLA-DRA"),
        ("IL7Ralpha (CD127)", "IL7R"),
        ("PD-1 (CD279)", "PDCD1"),
        ("PD-L1", "CD274"),
        ("HER2-R-V", "ERBB2"),
        ("ER-alpha", "ESR1"),
        ("4E-BP1", "EIF4EBP1"),
        ("Akt_pS473", "AKT1"),
        ("E-Cadherin", "CDH1"),
        ("p53", "TP53"),
        ("β-catenin", "CTNNB1"),
        ("CD11b_TotalSeqB", "ITGAM"),
    ],
)
def test_common_names_lead_to_their_gene(name, gene):
    assert symbols(name)[0] == gene
    genes = np.array(["ACTB", gene, "GAPDH"])
    assert matched(np.array([name]), genes)[0] == 1
    # Mouse symbols differ in case alone.
    assert matched(np.array([name]), np.array(["Actb", gene.capitalize()]))[0] == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IgG1", ISOTYPE),
        ("IgG2a", ISOTYPE),
        ("Rat_IgG2b_kappa", ISOTYPE),
        ("Mouse IgG1 isotype control", ISOTYPE),
        ("IgG1-Ctrl", ISOTYPE),
        ("Hamster IgG", ISOTYPE),
        # Immunoglobulins that B cells carry are no controls.
        ("IgM", LEVEL),
        ("IgD", LEVEL),
        ("IGHG1", LEVEL),
        ("Akt_pS473", MODIFIED),
        ("MAPK_pT202_Y204", MODIFIED),
        ("Caspase-7_cleavedD198", MODIFIED),
        ("pSTAT3", MODIFIED),
        ("H3K27me3", MODIFIED),
        ("CD45RA", MODIFIED),
        ("CD45RO", MODIFIED),
        # Small p, numbers and "me" are parts of names as well.
        ("p27", LEVEL),
        ("p53", LEVEL),
        ("p-Cadherin", LEVEL),
        ("MEK1", LEVEL),
        ("PTEN", LEVEL),
        ("CD45", LEVEL),
    ],
)
def test_what_an_antibody_measures(name, expected):
    assert form(name) == expected


def test_controls_and_unknown_names_match_nothing():
    genes = np.array(["IGHG1", "IGHG2", "CD77X"])
    assert (matched(np.array(["IgG1", "CD77", "no such thing"]), genes) == -1).all()


def test_the_name_itself_and_the_users_map_come_first():
    genes = np.array(["CD8", "CD8A", "MYC"])
    assert matched(np.array(["CD8"]), genes)[0] == 0
    assert matched(np.array(["CD8"]), genes, {"CD8": "MYC"})[0] == 2
    # What the user named and is not measured is not guessed.
    assert matched(np.array(["CD8"]), genes, {"CD8": "JUN"})[0] == -1


def test_signs_in_names_do_not_matter_unless_two_genes_clash():
    names = np.array(["Siglec-8", "NKX-2.1"])
    assert list(matched(names, np.array(["SIGLEC8", "NKX2-1"]))) == [0, 1]
    assert matched(np.array(["A-1-2"]), np.array(["A1-2", "A12"]))[0] == -1


def test_the_table_holds_symbols():
    for name, found in ALIASES.items():
        assert re.fullmatch(r"[a-z0-9]+", name), name
        for symbol in found:
            assert re.fullmatch(r"[A-Z][A-Z0-9]*(-[A-Z]+)?", symbol), symbol
