"""Who may regulate: the rule on names, the user's list, a column, and never the answer."""

from __future__ import annotations

import csv
import gzip
import re
import string
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infocheck import jaspar, regulators
from infocheck.errors import InputError, did_you_mean
from infocheck.regulators import RULE, choose, matches_rule, too_few

GENES = ["GATA1", "TAL1", "ACTB", "GAPDH", "SPI1", "CD4"]

HUMAN_SETS = re.compile("kang_|citefuse|pancreas_cepo|papalexi|pbmc68k_reduced|tcga_|beeline_hHEP_")
MOUSE_SETS = re.compile("beeline_mESC_TF500|scode_|intestine_zones_mrna_protein")


@pytest.fixture
def without_jaspar(monkeypatch):
    """As if the extra were not installed; tests/test_jaspar.py has the other half."""
    monkeypatch.setattr(jaspar, "find", lambda: None)


def columns(**values):
    """A ``column`` function over the given values that records what was asked."""
    asked = []

    def column(name):
        asked.append(name)
        return values.get(name)

    column.asked = asked
    return column


# ------------------------------------------------------------------- the rule


def test_rule_is_small_and_written_in_the_documented_alphabet():
    assert len(RULE) <= 150
    assert len(set(RULE)) == len(RULE)
    allowed = set(string.ascii_uppercase + string.digits + "*[]-")
    assert all(set(pattern.removeprefix("!")) <= allowed for pattern in RULE)


FACTORS = """
    MYC MYCN TP53 Trp53 GATA1 Sox2 FOXP3 HOXA9 NKX2-5 Pou5f1 ZNF10 Zfp42 STAT1 IRF8 NFKB1 RELA
    NR3C1 RARA ESR1 ETS1 SPI1 Elf3 CEBPB Jun FOSL2 KLF4 TBX21 TBXT PAX6 Neurod1 SNAI2 CTCF HES1
    HEYL Ascl1 MAFB MITF PPARG CREB1 E2F1 TEAD4 Nanog WT1
"""
OTHERS = """
    ACTB GAPDH RELN NFKBIA MYCBP TBXA2R ZFYVE16 ZFP36 Zfp36l1 CREBBP IRAK1 STATH SPINK1 ELFN1
    ARHGAP1 HOXA-AS2 ZNF213-AS1 CEBPZOS NFATC2IP PAXIP1 ENSG00000102145 MAFIP xMYC MYCx
"""


@pytest.mark.parametrize("name", FACTORS.split())
def test_rule_finds_well_known_factors(name):
    assert matches_rule([name]).all()


@pytest.mark.parametrize("name", OTHERS.split())
def test_rule_leaves_others_out(name):
    assert not matches_rule([name]).any()


@given(st.text(max_size=12))
def test_rule_takes_any_text_and_ignores_case(name):
    assert matches_rule([name]).shape == (1,)
    if name.isascii():
        assert matches_rule([name]) == matches_rule([name.swapcase()])


def like(pattern: str, rng: np.random.Generator) -> str:
    """A name of the pattern, half of the time with one letter changed."""

    def drawn(part: re.Match) -> str:
        if part[0] == "*":
            return rng.choice(["", "1", "A", "-AS1", "IP", "2B"])
        low, high = part[1][0], part[1][-1]
        return rng.choice([low, high])

    name = re.sub(r"\*|\[(.+?)\]", drawn, pattern.removeprefix("!"))
    at = rng.integers(2 * len(name))
    return name[:at] + rng.choice(list("ABX19")) + name[at + 1 :] if at < len(name) else name


def test_one_expression_means_the_same_as_its_patterns_one_at_a_time():
    rng = np.random.default_rng(1)
    names = [like(pattern, rng) for pattern in RULE for _ in range(40)]
    expected = [
        any(fnmatchcase(name, p) for p in RULE if p[0] != "!")
        and not any(fnmatchcase(name, p[1:]) for p in RULE if p[0] == "!")
        for name in names
    ]
    assert 0.2 < np.mean(expected) < 0.8
    np.testing.assert_array_equal(matches_rule(names), expected)


def gene_universe(shared: Path, sets: re.Pattern) -> set[str]:
    import anndata

    with (shared / "data" / "manifest.csv").open(newline="") as file:
        found = [row["name"] for row in csv.DictReader(file) if sets.match(row["name"])]
    assert found
    paths = [shared / "data" / f"{name}.h5ad" for name in found]
    return {str(gene).upper() for path in paths for gene in anndata.read_h5ad(path, "r").var_names}


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("species", "sets", "stated", "least_recall"),
    [
        ("human", HUMAN_SETS, regulators.RECALL_HUMAN, 0.50),
        ("mouse", MOUSE_SETS, regulators.RECALL_MOUSE, 0.45),
    ],
)
def test_stated_recall_and_precision_hold(shared, species, sets, stated, least_recall):
    genes = sorted(gene_universe(shared, sets))
    table = (shared / "tables" / f"regulators_{species}.txt").read_text().split()
    known = np.isin(genes, [name.upper() for name in table])
    taken = matches_rule(genes)
    recall, precision = taken[known].mean(), known[taken].mean()
    assert precision >= 0.90
    assert recall >= least_recall
    assert recall == pytest.approx(stated, abs=0.02)


@pytest.mark.shared
@pytest.mark.parametrize(("species", "sets"), [("human", HUMAN_SETS), ("mouse", MOUSE_SETS)])
def test_stated_recall_and_precision_with_jaspar_hold(shared, species, sets):
    """The figures of the page, on the same genes; needs the extra."""
    pytest.importorskip("pyjaspar")
    database = jaspar.require()
    if database.release != regulators.JASPAR_MEASURED:
        pytest.skip(f"{database.release} is not the one that was measured")
    genes = sorted(gene_universe(shared, sets))
    table = (shared / "tables" / f"regulators_{species}.txt").read_text().split()
    known = np.isin(genes, [name.upper() for name in table])
    joined, alone = choose(genes).mask, choose(genes, option=f"jaspar:{species}").mask
    assert joined[known].mean() == pytest.approx(regulators.JOINED_RECALL[species], abs=0.006)
    assert known[joined].mean() == pytest.approx(regulators.JOINED_PRECISION[species], abs=0.006)
    assert alone[known].mean() == pytest.approx(regulators.JASPAR_RECALL[species], abs=0.006)
    assert min(known[joined].mean(), known[alone].mean()) >= 0.90


# ------------------------------------------------------------- without option


def test_default_prefers_a_boolean_is_regulator():
    mask = np.array([0, 0, 1, 0, 0, 1], dtype=bool)
    chosen = choose(GENES, column=columns(is_regulator=mask))
    np.testing.assert_array_equal(chosen.mask, mask)
    assert (chosen.source, chosen.notes) == ("var column is_regulator", ())


@pytest.mark.parametrize("values", [np.zeros(6, bool), np.arange(6), np.array(list("abcdef"))])
def test_default_falls_back_to_the_rule_and_says_so(without_jaspar, values):
    chosen = choose(GENES, column=columns(is_regulator=values))
    np.testing.assert_array_equal(chosen.mask, matches_rule(GENES))
    assert "is_regulator" in chosen.notes[0]


def test_default_states_both_recalls(without_jaspar):
    source = choose(GENES).source
    assert f"{regulators.RECALL_HUMAN * 100:.0f} % of known human" in source
    assert f"{regulators.RECALL_MOUSE * 100:.0f} % of known mouse" in source
    assert "--regulators FILE" in source


@pytest.mark.parametrize("option", [None, "human", "mouse", "all", ["GATA1"], "var:mine"])
def test_gold_standard_is_never_asked_for(option):
    gold = np.ones(6, dtype=bool)
    column = columns(is_gold_source=gold, mine=np.eye(6, dtype=bool)[0])
    choose(GENES, option=option, column=column)
    assert "is_gold_source" not in column.asked


@pytest.mark.parametrize("word", ["var:is_gold_source", "var: IS_GOLD_SOURCE "])
def test_gold_standard_is_refused_by_name(word):
    column = columns(is_gold_source=np.ones(6, dtype=bool))
    with pytest.raises(InputError, match="leaks the answer"):
        choose(GENES, option=word, column=column)
    with pytest.raises(InputError, match="no file is_gold_source"):
        choose(GENES, option="is_gold_source", column=column)
    assert column.asked == []


# ------------------------------------------------------------------- keywords


@pytest.mark.parametrize("species", ["human", "mouse", "Human"])
def test_species_state_their_own_recall(species):
    chosen = choose(GENES, option=species)
    np.testing.assert_array_equal(chosen.mask, matches_rule(GENES))
    assert f"known {species.lower()}" in chosen.source
    assert chosen.source.count("%") == 1


def test_all_genes():
    chosen = choose(GENES, option="all")
    assert chosen.mask.all()
    assert chosen.source == "all genes"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([f"ENSG{i:011d}.{i % 9}" for i in range(500)], "Ensembl ids"),
        ([f"Y{i:04d}W" for i in range(500)], "human and mouse symbols"),
    ],
)
def test_names_that_the_rule_cannot_read_are_noted(names, said):
    chosen = choose(names, option="human")
    assert not chosen.mask.any()
    assert said in chosen.notes[0]


# --------------------------------------------------------------- a var column


@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False, False, False, True, False]),
        np.array([1, 0, 0, 0, 1, 0]),
        np.array([1.0, 0, np.nan, 0, 1, 0]),
        np.array([True, False, None, False, True, False], dtype=object),
        np.array(["True", "False", "false", "", "TRUE", "nan"]),
        pd.Categorical(["1", "0", "0", "0", "1", "0"]),
        pd.array([True, False, pd.NA, False, True, False], dtype="boolean"),
    ],
)
def test_columns_of_true_and_false_in_any_dress(values):
    chosen = choose(GENES, option="var:mine", column=columns(mine=values))
    assert chosen.mask.dtype == bool
    assert chosen.mask.tolist() == [True, False, False, False, True, False]
    assert chosen.source == "var column mine"


@pytest.mark.parametrize("values", [np.arange(6), np.linspace(0, 1, 6), np.array(list("abcdef"))])
def test_columns_of_something_else_are_refused(values):
    with pytest.raises(InputError, match="must hold true/false or 0/1"):
        choose(GENES, option="var:mine", column=columns(mine=values))


def test_column_of_another_length_is_refused():
    with pytest.raises(InputError, match="one value for each gene"):
        choose(GENES, option="var:mine", column=columns(mine=np.ones(3, dtype=bool)))


def test_missing_column_suggests_but_never_the_answer():
    listed = ["is_regulator", "is_gold_source", "highly_variable"]
    with pytest.raises(InputError, match="Did you mean is_regulator"):
        choose(GENES, option="var:is_regulater", columns=listed)
    with pytest.raises(InputError) as raised:
        choose(GENES, option="var:is_gold_sources", columns=listed)
    assert "is_gold_source." not in str(raised.value)


# ----------------------------------------------------------------- given names


def test_names_from_python():
    expected = [True, True, False, False, False, False]
    for given_names in (
        ["TAL1", "GATA1"],
        ("GATA1", "TAL1", "TAL1"),
        {"GATA1", "TAL1"},
        (name for name in ["GATA1", "TAL1"]),
        np.array(["GATA1", "TAL1"]),
        pd.Index(["GATA1", "TAL1"]),
    ):
        chosen = choose(GENES, option=given_names)
        assert chosen.mask.tolist() == expected
        assert chosen.source == "given list (2 names, 2 in the data)"
        assert chosen.notes == ()


@pytest.mark.parametrize("option", [[], [1, 2], np.ones(6, bool), 7, b"GATA1", {"a", 1}, [" "]])
def test_what_is_no_list_of_names_is_refused(option):
    with pytest.raises(InputError):
        choose(GENES, option=option)


def test_case_is_ignored_only_when_fewer_than_half_match():
    mouse = choose(GENES, option=["Gata1", "Tal1", "Spi1", "CD4"])
    assert mouse.mask.tolist() == [True, True, False, False, True, True]
    assert "upper and lower case were taken as the same: 3 more" in mouse.notes[0]
    assert mouse.source == "given list (4 names, 4 in the data)"

    mostly = choose(GENES, option=["GATA1", "TAL1", "Spi1"])
    assert mostly.mask.tolist() == [True, True, False, False, False, False]
    assert mostly.notes == ("Not in the data: Spi1.",)


def test_names_not_in_the_data_are_counted_with_three_examples():
    chosen = choose(GENES, option=["GATA1", "TAL1", "SPI1", "CD4", "A1", "B2", "C3", "D4"])
    assert chosen.notes == (
        "4 of 8 names in the list are not in the data, for example A1, B2, C3.",
    )


@pytest.mark.parametrize(
    ("data", "listed"),
    [
        (["ENSG00000000003.14", "ENSG00000000005.6"], ["ENSG00000000003"]),
        (["ENSG00000000003", "ENSG00000000005"], ["ENSG00000000003.14"]),
        (["ENSMUSG00000000003.1", "ENSMUSG00000000005.6"], ["ENSMUSG00000000003.2"]),
    ],
)
def test_ensembl_versions_are_stripped_when_needed(data, listed):
    chosen = choose(data, option=listed)
    assert chosen.mask.tolist() == [True, False]
    assert chosen.notes == ("Ensembl ids were matched without their versions.",)
    assert "1 names, 1 in the data" in chosen.source


def test_ensembl_versions_that_match_are_kept():
    data = ["ENSG00000000003.14", "ENSG00000000003.15"]
    assert choose(data, option=data[:1]).mask.tolist() == [True, False]


def test_repeated_gene_names_are_all_taken():
    assert choose(["GATA1", "CD4", "GATA1"], option=["GATA1"]).mask.tolist() == [True, False, True]


# --------------------------------------------------------------------- a file


@pytest.mark.parametrize(
    "content",
    [
        b"GATA1\nTAL1\n",
        b"GATA1\r\nTAL1\r\n",
        b"\xef\xbb\xbfGATA1\nTAL1",
        b"# my list\n\n  GATA1 # erythroid\nTAL1\n",
        b"TF\nGATA1\nTAL1\n",
        b"gene symbol\tfamily\nGATA1\tGATA\nTAL1\tbHLH\n",
        b'"Gene name","why"\n"GATA1","one, two"\n"TAL1",""\n',
        b"GATA1;1\nTAL1;2\n",
        gzip.compress(b"GATA1\nTAL1\n", mtime=0),
    ],
)
def test_files_in_any_dress(tmp_path, content):
    path = tmp_path / "my_tfs.txt"
    path.write_bytes(content)
    for option in (path, str(path)):
        chosen = choose(GENES, option=option)
        assert chosen.mask.tolist() == [True, True, False, False, False, False]
        assert chosen.source == "file my_tfs.txt (2 names, 2 in the data)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no gene names"),
        (b"# only a comment\n\n", "holds no gene names"),
        (b"gene\n", "holds no gene names"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "not plain text"),
        (b"GATA1\xff\xfe\n", "not plain text"),
        (gzip.compress(b"GATA1\n" * 50, mtime=0)[:-9], "cannot be read"),
    ],
)
def test_unreadable_files_are_refused_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as raised:
        choose(GENES, option=path)
    assert "\n" not in str(raised.value)


def test_missing_files_folders_and_misspelt_words(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*nowhere\.txt"):
        choose(GENES, option=tmp_path / "nowhere.txt")
    with pytest.raises(InputError, match="is a folder"):
        choose(GENES, option=tmp_path)
    with pytest.raises(InputError, match="Did you mean human"):
        choose(GENES, option="humna")
    with pytest.raises(InputError, match="write var:mine"):
        choose(GENES, option="mine", column=columns(mine=np.ones(6, dtype=bool)))
    with pytest.raises(InputError, match="is empty"):
        choose(GENES, option=" ")
    with pytest.raises(InputError, match="There is no file GATA1,GATA1"):
        choose(GENES, option=",".join(["GATA1"] * 5000))


def test_files_too_large_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(regulators, "LARGEST_FILE", 10)
    path = tmp_path / "matrix.txt"
    path.write_text("GATA1\n" * 10)
    with pytest.raises(InputError, match="too large"):
        choose(GENES, option=path)


# -------------------------------------------------------------------- messages


@pytest.mark.parametrize("found", [0, 1, 2])
def test_too_few_names_the_options(found):
    message = str(too_few(found, choose(GENES).source))
    for option in ("--regulators FILE", "human", "mouse", "jaspar:TAXON", "var:COLUMN", "all"):
        assert option in message
    assert "gene symbols" in message
    assert "gene symbols" not in str(too_few(found, "all genes"))


def test_suggestions():
    assert did_you_mean("Donr", ["batch", "donor"]) == " Did you mean donor?"
    assert did_you_mean("xyz", ["batch", "donor"]) == ""
    assert did_you_mean("xyz", []) == ""
