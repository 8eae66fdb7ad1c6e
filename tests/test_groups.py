"""A report for each group: the numbers of the subset, what is refused, and names of files."""

from __future__ import annotations

import json

import anndata as ad
import jsonschema
import numpy as np
import pytest
import scipy.sparse as sp

import infocheck as ic
from infocheck import groups as grouping
from infocheck import pipeline, thresholds
from infocheck.errors import InputError
from infocheck.report import comparison_document
from infocheck.simulate import simulate
from infocheck.source import open_source

SIZES = {"b cells": 110, "t/cells": 70, "few": 7}
UNLABELLED = 5


def labelled() -> ad.AnnData:
    """Groups of three sizes in mixed order, donors, and a batch that is constant in one group."""
    n = sum(SIZES.values()) + UNLABELLED
    adata = simulate(n_obs=n, n_genes=40, n_regulators=6, depth=2000, seed=7)
    adata.X = sp.csr_matrix(adata.X)
    rng = np.random.default_rng(7)
    labels = [name for name, size in SIZES.items() for _ in range(size)] + ["nan"] * UNLABELLED
    order = rng.permutation(n)
    adata.obs["kind"] = np.asarray(labels, dtype=object)[order]
    lane = rng.choice(["l1", "l2"], n)
    lane[adata.obs["kind"] == "t/cells"] = "l1"
    adata.obs["lane_number"] = lane
    adata.obs["subject"] = rng.choice([f"d{i}" for i in range(8)], n)
    return adata


def numbers(report) -> dict:
    """The document without what names the input and what may differ between runs."""
    found = json.loads(report.to_json())
    for key in ("name", "sha256", "notes"):
        found["dataset"].pop(key)
    for key in ("seconds", "peak_memory_mb", "command"):
        found["provenance"].pop(key)
    for check in found["checks"].values():
        check.pop("seconds")
    return found


@pytest.fixture(scope="module")
def adata():
    return labelled()


@pytest.fixture(scope="module")
def options():
    return {"donor": "subject", "jobs": 1, "seed": 3, "targets": 30}


@pytest.fixture(scope="module")
def found(adata, options):
    return ic.assess_by(adata, by="kind", **options)


@pytest.fixture(scope="module")
def subset(adata, options):
    """The plain report of the largest group, cut out beforehand."""
    return numbers(ic.assess(adata[adata.obs["kind"] == "b cells"].copy(), **options))


# The numbers --------------------------------------------------------------------------------


def test_a_group_has_the_numbers_of_its_rows_alone(found, subset):
    assert numbers(found["b cells"]) == subset


@pytest.mark.parametrize("kind", ["csr", "csc", "dense", "backed"])
def test_so_it_is_for_files_that_stay_on_disk(adata, options, subset, tmp_path, kind, monkeypatch):
    """The blocks are small, so that rows of one group lie in many of them."""
    path = tmp_path / "cells.h5ad"
    stored = adata.copy()
    stored.X = {"csc": sp.csc_matrix, "dense": lambda x: x.toarray()}.get(kind, sp.csr_matrix)(
        stored.X
    )
    stored.write_h5ad(path)
    monkeypatch.setattr("infocheck.source.MAX_BLOCK_ROWS", 64)
    source = ad.read_h5ad(path, backed="r") if kind == "backed" else path
    plan = grouping.plan(source, by="kind", **options)
    part = plan._part(0)
    whole = part.matrix("X")
    rows = sp.vstack([sp.csr_matrix(block) for _, block in whole.blocks()]).toarray()
    expected = adata[adata.obs["kind"] == "b cells"].X.toarray()
    np.testing.assert_array_equal(rows, expected)
    assert whole.shape == expected.shape
    if kind == "csr":
        report = ic.assess(part, **options)
        got = numbers(report)
        assert got["goals"] == subset["goals"]
        for name, check in subset["checks"].items():
            for key in ("estimate", "low", "high"):
                value = check[key]
                near = value if value is None else pytest.approx(value, rel=1e-5, abs=1e-7)
                assert got["checks"][name][key] == near, (name, key)


def test_rows_are_gathered_from_any_blocks():
    rng = np.random.default_rng(0)
    values = rng.random((57, 4))
    read = []

    def block(start, stop):
        read.append(stop - start)
        return values[start:stop]

    from infocheck.source import Matrix

    for rows in (np.array([0]), np.array([3, 9, 10, 41, 56]), np.arange(57), np.arange(50, 57)):
        kept = Matrix((57, 4), block, 10).keep(rows)
        got = np.vstack([part for _, part in kept.blocks()])
        np.testing.assert_array_equal(got, values[rows])
    assert max(read) <= 10  # never more of the whole than one of its blocks


def test_the_file_is_opened_and_its_digest_made_once(adata, tmp_path, options, monkeypatch):
    path = tmp_path / "cells.h5ad"
    adata.write_h5ad(path)
    from infocheck import source

    opened, digested = [], []
    from_h5ad, file_digest = source._from_h5ad, source._file_digest
    monkeypatch.setattr(source, "_from_h5ad", lambda p: opened.append(p) or from_h5ad(p))
    monkeypatch.setattr(source, "_file_digest", lambda p: digested.append(p) or file_digest(p))
    found = grouping.plan(path, by="kind", **options)
    digests = {found._part(code).digest() for code in range(3)} | {found.source.digest()}
    assert len(opened) == len(digested) == 1
    assert len(digests) == 4


def test_worker_count_and_repeating_change_no_number(adata, options, found):
    again = grouping.plan(adata, by="kind", **{**options, "jobs": 2})
    assert numbers(ic.assess(again._part(1), **again.options)) == numbers(found["t/cells"])


def test_the_adata_is_not_changed(adata, options):
    before = adata.copy()
    grouping.plan(adata, by="kind", **options)
    assert (before.X != adata.X).nnz == 0
    assert list(before.obs) == list(adata.obs)


# Groups -------------------------------------------------------------------------------------


def test_levels_by_size_and_too_few_rows(found):
    assert list(found.reports) == ["b cells", "t/cells"]
    assert list(found.refused) == ["few"]
    assert "7 rows are too few" in found.refused["few"]
    assert str(thresholds.MIN_OBSERVATIONS_SAMPLING) in found.refused["few"]
    entries = {one["label"]: one for one in found.document["entries"]}
    assert {name: one["rows"] for name, one in entries.items()} == SIZES
    assert found.document["by"] == {
        "source": "simulated data",
        "sha256": found.document["by"]["sha256"],
        "column": "kind",
        "levels": 3,
        "levels_left_out": 0,
        "rows_left_out": 0,
        "rows_unlabelled": UNLABELLED,
    }
    with pytest.raises(KeyError, match="too few"):
        found["few"]
    with pytest.raises(KeyError, match="no level 'x'"):
        found["x"]


def test_names_and_digests_tell_the_groups_apart(found):
    names = [report.dataset["name"] for report in found.reports.values()]
    assert names == ["simulated data · kind=b cells", "simulated data · kind=t∕cells"]
    for report in found.reports.values():
        assert report.dataset["notes"][0].startswith("Only the rows of one level of 'kind'")
    digests = {report.dataset["sha256"] for report in found.reports.values()}
    assert len(digests) == 2
    assert found.document["by"]["sha256"] not in digests


def test_named_roles_that_do_not_fit_a_group_are_dropped_there(adata, options):
    named = {**options, "batch": "lane_number", "cell_type": "kind"}
    plan = grouping.plan(adata, by="kind", **named)
    opened = {level: _open(plan._part(code), named) for code, level in enumerate(plan.levels[:2])}
    assert opened["b cells"].roles["batch"].column == "lane_number"
    assert "batch" not in opened["t/cells"].roles
    assert any("'lane_number' has one level only" in note for note in opened["t/cells"].notes)
    for data in opened.values():
        assert "cell_type" not in data.roles
        assert "donor" in data.roles


def _open(part, named):
    return ic.Dataset.open(part, **{k: v for k, v in named.items() if k != "jobs"})


def test_a_control_that_no_row_of_a_group_has_is_no_mistake(adata):
    marked = adata.copy()
    gene = np.where(np.arange(marked.n_obs) % 3 == 0, "ctrl", "G1").astype(object)
    gene[(marked.obs["kind"] == "t/cells") & (gene == "ctrl")] = "G2"
    marked.obs["target"] = gene
    plan = grouping.plan(marked, by="kind", perturbation="target", control="ctrl")
    with_control, without = (_open(plan._part(i), plan.options) for i in (0, 1))
    assert with_control.roles["perturbation"].control == "ctrl"
    assert without.roles["perturbation"].control is None
    assert "No row here is the control 'ctrl'." in without.notes
    with pytest.raises(InputError, match="did you mean 'ctrl'"):
        grouping.plan(marked, by="kind", perturbation="target", control="ctr")


def test_roles_that_fit_no_row_at_all_are_a_mistake(adata):
    with pytest.raises(InputError, match=r"--donor: there is no column 'subjekt'.*'subject'"):
        grouping.plan(adata, by="kind", donor="subjekt")


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("kin", "--by: there is no column 'kin' in obs; did you mean 'kind'"),
        ("same", "has one level only"),
        ("number", "has one level per row"),
        ("pairs", "levels, none of which has 10 rows"),
        ("empty", "is empty"),
    ],
)
def test_columns_that_tell_no_groups_apart(adata, by, message):
    odd = adata.copy()
    n = odd.n_obs
    odd.obs["same"], odd.obs["number"] = "x", np.linspace(0, 1, n)
    odd.obs["pairs"], odd.obs["empty"] = np.arange(n) // 2, np.nan
    with pytest.raises(InputError, match=message) as refused:
        grouping.plan(odd, by=by)
    assert "\n" not in str(refused.value)
    if by != "kin":
        assert "such as cell types ('donor', " in str(refused.value)


def test_a_table_has_no_columns_to_go_by(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("cell,A,B\nc1,1,2\nc2,3,4\n")
    with pytest.raises(InputError, match="obs has no columns"):
        grouping.plan(path, by="kind")


def test_of_many_levels_the_largest_are_looked_at(adata, monkeypatch):
    monkeypatch.setattr(grouping, "MOST_GROUPS", 2)
    plan = grouping.plan(adata, by="kind")
    assert plan.levels == ("b cells", "t/cells")
    facts = plan._facts()
    assert facts["levels_left_out"] == 1
    assert facts["rows_left_out"] == SIZES["few"]


def test_groups_that_are_unsuitable_are_told_and_all_of_them_refused(
    adata, options, found, monkeypatch
):
    broken = adata.copy()
    broken.X = broken.X.astype(float)
    row = np.flatnonzero(broken.obs["kind"] == "t/cells")[0]
    broken.X[row, 0] = np.nan
    with pytest.raises(InputError, match=r"none of the 3 groups.*no layer 'spliced'"):
        ic.assess_by(broken, by="kind", counts="spliced", **options)
    real = pipeline.assess
    # The sound group is known already; the broken one takes the real road.
    monkeypatch.setattr(
        pipeline,
        "assess",
        lambda part, **o: found["b cells"] if "b cells" in part.name else real(part, **o),
    )
    partly = ic.assess_by(broken, by="kind", **options)
    assert list(partly.reports) == ["b cells"]
    assert "NaN or infinite" in partly.refused["t/cells"]


def test_progress_says_which_group(adata, options):
    said = []
    plan = grouping.plan(adata, by="kind", **options)
    tell = grouping._numbered(lambda *step: said.append(step), plan.levels[0], 1, 2)
    tell("Power", 3, 12)
    assert said == [("1 of 2, b cells: Power", 3, 12)]


# The document -------------------------------------------------------------------------------


def test_the_document_follows_its_schema_and_is_made_of_documents_alone(found):
    schema = comparison_document.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(found.to_json())
    validator.validate(document)
    saved = json.loads(found["b cells"].to_json())
    assert comparison_document.entry("b cells", saved) == next(
        one for one in document["entries"] if one["label"] == "b cells"
    )
    for key, wrong in (("goal", "wealth"), ("noun", ["one"])):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**document, key: wrong})
    assert "NaN" not in found.to_json()


def test_entries_say_what_their_reports_say(found):
    for one in found.document["entries"]:
        if not one["assessed"]:
            continue
        report = found[one["label"]]
        for key, verdict in report.goals.items():
            assert one["goals"][key]["verdict"] == verdict.verdict.value
            assert one["goals"][key]["limiting_stage"] == (
                verdict.limiting_stage and verdict.limiting_stage.value
            )
        for stage, state in report.stages.items():
            assert one["stages"][stage.value]["status"] == state.status.value
        stability = report["stability"].table("summary").set_index("statistic")
        assert one["numbers"]["stab_c"]["estimate"] == pytest.approx(
            stability.loc["stab_c", "estimate"], rel=1e-5
        )


def test_other_files_can_be_compared_in_the_same_way(found):
    """What a comparison of many files needs: documents, a label each, and no groups."""
    saved = {name: json.loads(report.to_json()) for name, report in found.reports.items()}
    saved["t/cells"]["provenance"]["thresholds_version"] = "2019.1"
    document = comparison_document.build(
        [comparison_document.entry(f"{name}.json", one) for name, one in saved.items()],
        goal="modules",
        noun=("data set", "data sets"),
        provenance={**found.document["provenance"], "command": None},
    )
    jsonschema.Draft202012Validator(comparison_document.schema()).validate(document)
    assert document["by"] is None
    assert document["notes"] == [
        "The data sets were judged by different thresholds: 2019.1 and 2026.1."
    ]
    assert "2 data sets could hold gene modules" in document["sentence"]


# Files --------------------------------------------------------------------------------------


def test_files_of_groups_have_names_that_every_system_allows():
    hostile = [
        "../../x",
        "..\\..\\x",
        "<script>alert(1)</script>",
        "CD4+/CD25 T Reg",
        "β-Zellen",
        "细胞" * 100,
        "A" * 300,
        "a b",
        "a_b",
        "A B",
        "CON",
        "nul.txt",
        "",
        "...",
        "\x1b[31mred\u202e",
        ".hidden",
    ]
    names = grouping.file_names(hostile)
    assert len({name.casefold() for name in names}) == len(hostile)
    for name in names:
        assert not set(name) & set('/\\<>:"|?*\x1b\u202e')
        assert ".." not in name
        assert not name.startswith((".", "-"))
        assert len(f"{name}.infocheck.html".encode()) < 200
        assert name.split(".")[0].lower() not in ("con", "nul")
    assert names[3] == "CD4+_CD25_T_Reg"
    assert names[4] == "β-Zellen"
    assert names[7:10] == ["a_b", "a_b-2", "A_B-3"]


def test_all_files_are_written_and_every_link_leads_to_one(found, tmp_path, monkeypatch):
    monkeypatch.setattr(ic.Report, "to_html", lambda self: self.dataset["name"])
    page = tmp_path / "mine.html"
    text = found.to_html(page)
    assert page.read_text("utf-8") == text
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert written == {
        "mine.html",
        "mine/b_cells.infocheck.html",
        "mine/b_cells.infocheck.json",
        "mine/t_cells.infocheck.html",
        "mine/t_cells.infocheck.json",
    }
    for name in written - {"mine.html"}:
        if name.endswith("html"):
            assert f'href="{name}"' in text
    saved = (tmp_path / "mine/b_cells.infocheck.json").read_text("utf-8")
    assert saved == found["b cells"].to_json()
    # Text alone leads nowhere, because nothing was written.
    assert 'href="mine' not in found.to_html()


def test_the_object_prints_its_finding_and_has_a_light_card(found):
    assert found.document["sentence"] in repr(found)
    assert len(repr(found).splitlines()) == 4
    card = found._repr_html_()
    assert len(card) < 20_000
    assert found.document["sentence"] in card
    for forbidden in ("<svg", "<style", "<script", "class="):
        assert forbidden not in card


def test_an_open_source_stays_open(adata):
    source = open_source(adata)
    assert open_source(source) is source
    assert source.part is None
