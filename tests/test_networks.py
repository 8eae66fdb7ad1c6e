"""Lists of edges as people have them: headers, separators, encodings, and what is refused."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from infocheck import networks
from infocheck.errors import InputError
from infocheck.networks import CLASSES, judged, read_network, read_predictions, read_reference

ROWS = [("A", "x", 3.0), ("A", "y", 2.0), ("B", "x", 2.0), ("B", "z", -1.0)]
LABELLED = "A\tx\t1\nA\ty\t0\nB\tx\t0\nB\ty\t1\n"


def text(separator="\t", header="", end="\n"):
    lines = [separator.join(map(str, row)) for row in ROWS]
    return end.join(([header.replace(",", separator)] if header else []) + lines) + end


@pytest.fixture
def write(tmp_path):
    def written(content: str | bytes, name: str = "list.tsv", encoding: str = "utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return written


@pytest.mark.parametrize("separator", ["\t", ",", ";", " "])
@pytest.mark.parametrize("header", ["", "TF,target,importance", "regulator,target,score"])
def test_separators_and_headers(write, separator, header):
    table = read_predictions(write(text(separator, header))).table
    assert table[["regulator", "target", "score"]].to_numpy().tolist() == [list(r) for r in ROWS]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (text(end="\r\n"), "utf-8-sig"),
        (text(end="\r\r\n"), "utf-8"),
        (text(), "utf-16"),
        (text(",", '"TF","target","score"'), "utf-8"),
        ("# a comment\n#TF\ttarget\tscore\n" + text(), "utf-8"),
        ("\n\n" + text(), "utf-8"),
        (text().replace("A", '"A"'), "utf-8"),
    ],
)
def test_ends_of_lines_encodings_quotes_and_comments(write, content, encoding):
    table = read_predictions(write(content, encoding=encoding)).table
    assert table["regulator"].tolist() == list("AABB")
    assert table["score"].tolist() == [3, 2, 2, -1]


def test_gzip_is_known_by_its_content(write):
    table = read_predictions(write(gzip.compress(text().encode()), "without_ending")).table
    assert len(table) == 4


@pytest.mark.parametrize(
    "content",
    [
        ",TF,target,importance\n0,A,x,3\n1,B,z,1\n",
        "regulatoryGene,targetGene,weight\nA,x,3\nB,z,1\n",
        "Gene1\tGene2\tEdgeWeight\nA\tx\t3\nB\tz\t1\n",
        "importance,target,TF\n3,x,A\n1,z,B\n",
    ],
)
def test_what_other_programs_write(write, content):
    table = read_predictions(write(content)).table
    assert table[["regulator", "target", "score"]].to_numpy().tolist() == [
        ["A", "x", 3.0],
        ["B", "z", 1.0],
    ]


def test_genes_may_be_called_like_a_header(write):
    table = read_predictions(write("gene1\tgene2\t2\ngene2\tgene1\t1\n")).table
    assert len(table) == 2
    table = read_network(write("gene1\tgene2\ngene1\tgene3\n")).table
    assert len(table) == 2
    assert len(read_network(write("gene1\tgene2\nA\tB\n")).table) == 1


def test_predictions_are_ranked_with_file_order_in_ties(write):
    content = "A\tx\t1\nA\ty\t2\nB\tx\t1\nB\ty\t2\nA\tA\t9\nA\tx\t0.5\nC\tx\tNA\nC\ty\t-3\n"
    found = read_predictions(write(content))
    assert (found.table["regulator"] + found.table["target"]).tolist() == [
        "Ay",
        "By",
        "Ax",
        "Bx",
        "Cy",
    ]
    said = " ".join(found.notes)
    assert "1 pair of a gene with itself" in said
    assert "1 row whose pair comes before" in said
    assert "1 row without a score" in said
    assert "--absolute" in said
    absolute = read_predictions(write(content), absolute=True)
    assert absolute.table["regulator"].iloc[0] == "C"
    assert absolute.table["sign"].iloc[0] == -1
    assert "--absolute" not in " ".join(absolute.notes)


def test_without_a_score_the_rows_are_the_ranking(write):
    found = read_predictions(write("B\tx\nA\tx\n"))
    assert found.table["regulator"].tolist() == ["B", "A"]
    assert "no score" in found.notes[0]


def test_labels_list_the_pairs_that_can_be_judged(write):
    for content in (LABELLED, "TF\ttarget\tlabel\n" + LABELLED):
        network = read_network(write(content))
        assert network.listed
        found = judged(networks.Reference(network))
        assert (found.pairs.size, found.n_edges) == (4, 2)


@pytest.mark.parametrize(
    ("content", "signs"),
    [
        ("A\tx\t1\nA\ty\t-1\nB\tz\t0\n", [1, -1, 0]),
        ("A\tx\t+\nA\ty\t-\nB\tz\t?\n", [1, -1, 0]),
        ("source,target,sign\nA,x,1\nA,y,1\nB,z,0\n", [1, 1, 0]),
        ("Gene1,Gene2,Type\nA,x,+\nA,y,-\nB,z,+\n", [1, -1, 1]),
        ("source,target,mor\nA,x,0.5\nA,y,-1\nB,z,1\n", [1, -1, 1]),
    ],
)
def test_signs_never_define_the_pairs(write, content, signs):
    network = read_network(write(content))
    assert not network.listed
    assert network.table["sign"].tolist() == signs
    assert network.table["edge"].all()
    assert judged(networks.Reference(network)).pairs.size == 6


def test_edges_alone_are_crossed_without_a_gene_and_itself(write):
    found = judged(read_reference(write("A\tB\nB\tA\nA\tx\nB\tB\nA\tx\n")))
    # A, B × A, B, x without AA and BB.
    assert (found.pairs.size, found.n_edges) == (4, 3)
    network = read_network(write("A\tB\nB\tA\nA\tA\n"))
    assert network.undirected
    assert "every edge is there both ways" in " ".join(network.notes)
    assert "1 pair of a gene with itself" in " ".join(network.notes)


def test_repeated_rows_are_counted_and_do_not_count_twice(write):
    network = read_network(write("A\tx\t0.9\nA\tx\t0.9\nB\tz\t0.8\n"))
    assert len(network.table) == 2
    assert "dropped 1 row beyond" in " ".join(network.notes)
    mixed = read_network(write("source\ttarget\tsign\nA\tx\t1\nA\tx\t-1\nB\ty\t1\n"))
    assert mixed.table["sign"].tolist() == [0, 1]


def test_labels_that_are_all_one_list_edges_alone(write):
    network = read_network(write("A\tx\t1\nB\ty\t1\n"))
    assert not network.listed
    assert "every label is 1" in network.notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        # No time in them: ids of cases are the same whenever they are collected.
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(text().encode() * 50, mtime=0)[:-20], "cannot be read"),
        (bytes(range(256)), "is no text"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "is no text"),
        (b"PK\x03\x04" + bytes(20), "is a workbook"),
        ("é\tx\t1\n".encode("latin-1"), "is not UTF-8"),
        ("TF\ttarget\tscore\n", "no rows below its header"),
        ("A\nB\n", "one column"),
        ("A\tb\t1\t2\nB\tc\t1\t2\n", "no header that is understood"),
        ("A\tb\t1\nB\tc\t1\t2\n", "line 2 has 4 columns where the first has 3"),
        ("A\tb\t1\nB\n", "row 2 lacks a regulator or a target"),
        ('TF,target,score\n"A,b,1\nB,c,2\n', "a quote is opened"),
        ("foo,bar,baz,qux\n1,A,x,y\n", "no header that is understood"),
    ],
)
def test_lists_that_cannot_be_used_are_refused_in_one_sentence(write, content, words):
    for read in (read_network, read_predictions):
        with pytest.raises(InputError, match=words) as refusal:
            read(write(content))
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 250


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("A\tx\t0\nA\ty\t0\n", "no pair is labelled 1"),
        ("A\tx\t1\nA\tx\t0\nB\ty\t1\n", "labelled 0 and 1"),
        ("TF,target,label\nA,x,2\n", "the label '2' is not 0 or 1"),
        ("TF,target,value\nA,x,0\nA,y,1\n", "call it label"),
        ("A\tpd\tx\nB\tpd\ty\n", "no label"),
        ("A\tA\nB\tB\n", "no edge between two genes"),
    ],
)
def test_networks_that_cannot_be_used(write, content, words):
    with pytest.raises(InputError, match=words):
        read_network(write(content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("A\tx\t1\nA\ty\thigh\n", "'high' in row 2 is no number"),
        ("TF\ttarget\tscore\nA\tx\t1\nA\ty\thigh\n", "'high' in row 3"),
        ("TF,target,a,b\nA,x,1,2\n", "which of the columns 'a', 'b' is the score"),
        ("A\tA\t1\n", "no edge between two genes"),
        ("score\tTF\tb\n1\tA\tx\n", "no regulator and target"),
    ],
)
def test_predictions_that_cannot_be_used(write, content, words):
    with pytest.raises(InputError, match=words):
        read_predictions(write(content))


def test_a_folder_and_an_absent_file(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_network(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_network(tmp_path / "absent.tsv")
    with pytest.raises(InputError, match="expected a path or a table"):
        read_network(3)


def test_strange_names_stay_what_they_are(write):
    long = "L" * 500
    names = [long, "<script>alert(1)</script>", "=cmd()", 'q"q', "NA", "null", "ρ"]
    lines = "".join(
        f"{name}\ttarget{i}\t{i}\n".replace('q"q', '"q""q"') for i, name in enumerate(names)
    )
    assert read_predictions(write(lines)).table["regulator"].tolist() == names[::-1]
    with pytest.raises(InputError) as refusal:
        read_predictions(write(f"TF\ttarget\tscore\nA\tb\t{long}\n"))
    assert len(str(refusal.value)) < 200


def test_tables_are_taken_as_files_are():
    frame = pd.DataFrame({"target": ["x", "y"], "source": ["A", "B"], "sign": [1, 0]}, index=[7, 7])
    network = read_network(frame)
    assert network.table["regulator"].tolist() == ["A", "B"]
    assert network.table["sign"].tolist() == [1, 0]
    unnamed = pd.DataFrame([["A", "x", 0.25], ["A", "y", 1 / 3]])
    assert read_predictions(unnamed).table["score"].tolist() == [1 / 3, 0.25]
    with pytest.raises(InputError, match="lacks a regulator"):
        read_network(pd.DataFrame({"source": ["A", None], "target": ["x", "y"]}))


def test_two_sources_must_agree(write):
    first = write("A\tx\t1\nA\ty\t1\nA\tz\t0\nB\tx\t0\nB\ty\t0\nC\tx\t1\n", "a.tsv")
    second = write("A\tx\t1\nA\ty\t0\nA\tz\t0\nB\tx\t1\nB\ty\t0\nA\tw\t1\n", "b.tsv")
    found = judged(read_reference(first, second))
    # Ax is an edge in both; Az and By in neither; Ay and Bx are disputed; C and w known to one.
    assert (found.pairs.size, found.n_edges, found.discordant) == (3, 1, 2)
    row, column = found.pairs.all()
    pairs = {(found.regulators[r], found.targets[c]) for r, c in zip(row, column, strict=True)}
    assert pairs == {("A", "x"), ("A", "z"), ("B", "y")}
    assert (found.regulators[found.row[0]], found.targets[found.column[0]]) == ("A", "x")


def test_two_crossed_sources_judge_only_what_both_know(write):
    first = write("A\tx\nA\ty\nB\tx\nC\tx\n", "a.tsv")
    second = write("A\tx\nB\ty\nB\tz\n", "b.tsv")
    found = judged(read_reference(first, second))
    # A, B × x, y: Ax in both, Ay, Bx and By in one.
    assert (found.pairs.size, found.n_edges, found.discordant) == (1, 1, 3)


def test_signs_of_two_sources(write):
    head = "source\ttarget\tsign\n"
    first = write(head + "A\tx\t1\nA\ty\t-1\nB\tx\t0\n", "a.tsv")
    second = write(head + "A\tx\t-1\nA\ty\t0\nB\tx\t1\n", "b.tsv")
    assert judged(read_reference(first, second)).sign.tolist() == [0, -1, 1]


def test_the_panel_limits_what_is_judged(write):
    path = write("A\tx\nA\ty\nB\tx\nC\tz\n")
    found = judged(read_reference(path), ["A", "B", "Q"], ["x", "y"])
    assert found.regulators.tolist() == ["A", "B"]
    assert (found.pairs.size, found.n_edges) == (4, 3)
    nothing = judged(read_reference(path), ["Q"], ["x"])
    assert (nothing.pairs.size, nothing.n_edges) == (0, 0)
    assert np.array_equal(nothing.positions, [])


@pytest.mark.parametrize(
    ("given", "known", "words"),
    [
        (["Sox2"], ["SOX2", "KLF4"], "upper and lower case"),
        ([f"ENSG{i:011d}" for i in range(3)], ["SOX2"], "Ensembl identifiers where the other"),
        ([f"ENSG{i:011d}" for i in range(3)], [f"ENSG{i:011d}.1" for i in range(3)], "version"),
        (["P1"], ["G1"], "^$"),
    ],
)
def test_why_names_do_not_meet(given, known, words):
    assert pd.Series([networks.difference(given, known)]).str.contains(words).all()


def test_classes_are_named_and_each_has_a_caveat(write):
    path = write("A\tx\nB\ty\n")
    for name in CLASSES:
        assert read_reference(path, network_class=name).class_words == name
    missing = read_reference(path)
    assert missing.class_words == "not stated"
    assert "--network-class" in missing.proof
    assert "no recovery" in read_reference(path, network_class="prior").proof
    with pytest.raises(ValueError, match="unknown network class"):
        read_reference(path, network_class="truth")
