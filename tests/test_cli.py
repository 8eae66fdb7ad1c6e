"""The command line: exit codes, streams, and files that are never lost.

The pipeline behind the command is replaced by a stub, so that each test is about the
command alone; the tests at the end run the real one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

import infocheck
from infocheck import cli, output
from infocheck.errors import InputError
from infocheck.goals import GOALS
from infocheck.result import Answer, Status

PAGE = '<!doctype html><html><head><meta name="generator" content="infocheck 9"></head>{}</html>'
JSON = '{{\n "schema": "infocheck.report/1", "text": "ρ ≥ 0.2 {}"}}'
PATHS = [str(Path(__file__).parent), str(Path(infocheck.__file__).parents[1])]


# A stub of the pipeline ---------------------------------------------------------------


class Stub:
    """Stands in for infocheck.assess and what the command prints; keeps what it was given."""

    def __init__(self):
        self.verdict = Answer.NOT_EXCLUDED
        self.status = Status.BORDERLINE
        self.raises: BaseException | None = None
        self.calls: list[tuple[object, dict]] = []
        self.text = ""
        self.during = lambda: None

    def assess(self, source, *, progress=None, **options):
        self.calls.append((source, options))
        for step in ("reading", "reliability", "reliability"):
            progress(step, 1, 3)
        self.during()
        if self.raises:
            raise self.raises
        verdict = types.SimpleNamespace(status=self.status)
        return types.SimpleNamespace(
            to_html=lambda: PAGE.format(self.text),
            to_json=lambda: JSON.format(self.text),
            goals={goal.key: types.SimpleNamespace(verdict=self.verdict) for goal in GOALS},
            results={"reliability": types.SimpleNamespace(verdict=verdict)},
        )

    def modules(self) -> dict[str, types.ModuleType]:
        schema = {"$schema": "a dialect", "title": "infocheck.report/1"}
        contents = {
            "infocheck.pipeline": {"assess": self.assess},
            "infocheck.simulate": {"demo": lambda: "demonstration data"},
            "infocheck.report.terminal": {
                "lines": lambda report: ["▲ Not excluded  edges 0.14–0.2"]
            },
            "infocheck.report.document": {"schema": lambda: schema},
        }
        modules = {}
        for name, members in contents.items():
            modules[name] = types.ModuleType(name)
            vars(modules[name]).update(members)
        return modules


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """The stub, in an empty folder that holds one input file."""
    stub = Stub()
    for name, module in stub.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.chdir(tmp_path)
    Path("cells.h5ad").write_bytes(b"data")
    return stub


def run(*arguments: str):
    return CliRunner().invoke(cli.app, list(arguments), prog_name="infocheck")


def stubbed_process(*arguments: str, change: str = "", **options) -> subprocess.Popen:
    """The command in its own process, with the stub changed by a line of code."""
    code = (
        f"import sys; sys.path[:0] = {PATHS}; import test_cli\n"
        f"stub = test_cli.Stub(); sys.modules.update(stub.modules())\n{change}\n"
        "from infocheck.cli import main; main()"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], **{**pipes, **options})


def files(folder: Path = Path()) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# Where results go ---------------------------------------------------------------------


def test_page_and_document_stand_beside_each_other_in_the_current_folder(stub, tmp_path):
    data = tmp_path / "elsewhere" / "cells.h5ad"
    data.parent.mkdir()
    data.write_bytes(b"data")
    assert run("report", str(data)).exit_code == 0
    assert {"cells.infocheck.html", "cells.infocheck.json"} < set(files())
    assert files(data.parent) == ["cells.h5ad"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.h5ad", "a"),
        ("a.b.csv", "a.b"),
        ("a.tsv.gz", "a"),
        ("a.CSV.GZ", "a"),
        ("a.zarr", "a"),
        ("a.csv.h5ad", "a.csv"),
        ("plain", "plain"),
        (".csv", ".csv"),
    ],
)
def test_name_of_the_data_is_the_file_name_without_data_endings(file, name):
    assert output.data_name(Path("folder") / file) == name


@pytest.mark.parametrize(
    ("given", "page", "document"),
    [
        ("out.html", "out.html", "out.json"),
        ("x.infocheck.html", "x.infocheck.html", "x.infocheck.json"),
        ("out.htm", "out.htm", "out.json"),
        ("out", "out", "out.json"),
        ("v1.2", "v1.2", "v1.2.json"),
        ("folder", "folder/cells.infocheck.html", "folder/cells.infocheck.json"),
        ("folder/", "folder/cells.infocheck.html", "folder/cells.infocheck.json"),
    ],
)
def test_output_is_the_page_or_a_folder(stub, given, page, document):
    Path("folder").mkdir()
    assert run("report", "cells.h5ad", "-o", given).exit_code == 0
    assert output.PAGE.on(Path(page))
    assert output.DOCUMENT.on(Path(document))
    assert len(files()) == 3


def test_json_on_stdout_writes_no_json_file(stub):
    result = run("report", "cells.h5ad", "--json", "-")
    assert json.loads(result.stdout)["schema"] == "infocheck.report/1"
    assert files() == ["cells.h5ad", "cells.infocheck.html"]


def test_json_path(stub):
    run("report", "cells.h5ad", "--json", "other.json")
    assert files() == ["cells.h5ad", "cells.infocheck.html", "other.json"]


def test_demo_needs_no_file(stub):
    assert run("report", "--demo").exit_code == 0
    assert stub.calls[0][0] == "demonstration data"
    assert "demo.infocheck.html" in files()


# What may be replaced -----------------------------------------------------------------


def test_own_files_are_replaced(stub):
    run("report", "cells.h5ad")
    stub.text = "second"
    assert run("report", "cells.h5ad").exit_code == 0
    assert "second" in Path("cells.infocheck.html").read_text("utf-8")
    assert "second" in Path("cells.infocheck.json").read_text("utf-8")


@pytest.mark.parametrize("name", ["cells.infocheck.html", "cells.infocheck.json"])
@pytest.mark.parametrize("foreign", ["", "mine", '{"schema": "other/1"}', "<html>infocheck</html>"])
def test_foreign_file_is_kept_and_found_before_computing(stub, name, foreign):
    Path(name).write_text(foreign)
    result = run("report", "cells.h5ad")
    assert result.exit_code == 3
    assert stub.calls == []
    assert Path(name).read_text() == foreign
    assert result.stderr.count("\n") == 1
    assert "--force" in result.stderr
    assert files() == ["cells.h5ad", name]


def test_foreign_file_is_replaced_by_force(stub):
    Path("cells.infocheck.html").write_text("mine")
    assert run("report", "cells.h5ad", "--force").exit_code == 0
    assert output.PAGE.on(Path("cells.infocheck.html"))


def test_file_that_appears_while_computing_is_kept(stub):
    stub.during = lambda: Path("cells.infocheck.json").write_text("mine")
    assert run("report", "cells.h5ad").exit_code == 3
    assert Path("cells.infocheck.json").read_text() == "mine"
    assert files() == ["cells.h5ad", "cells.infocheck.json"]


@pytest.mark.parametrize("how", ["same", "hard link", "symbolic link", "list of regulators"])
@pytest.mark.parametrize("option", ["-o", "--json"])
def test_input_is_never_overwritten(stub, how, option):
    kept, target, more = Path("cells.h5ad"), Path("cells.h5ad"), ()
    if how == "list of regulators":
        kept = target = Path("list.txt")
        kept.write_bytes(b"data")
        more = ("--regulators", "list.txt")
    elif how != "same":
        target = Path("again.html")
        (target.hardlink_to if how == "hard link" else target.symlink_to)(kept.absolute())
    result = run("report", "cells.h5ad", "--force", option, str(target), *more)
    assert result.exit_code == 3
    assert "is an input" in result.stderr
    assert kept.read_bytes() == b"data"
    assert stub.calls == []


def test_symbolic_link_is_followed_and_kept(stub):
    Path("store").mkdir()
    Path("out.html").symlink_to(Path("store/real.html"))
    assert run("report", "cells.h5ad", "-o", "out.html").exit_code == 0
    assert Path("out.html").is_symlink()
    assert output.PAGE.on(Path("store/real.html"))


def test_special_files_are_refused_even_by_force(stub):
    os.mkfifo("pipe")
    result = run("report", "cells.h5ad", "--force", "-o", "pipe")
    assert result.exit_code == 3
    assert "not a regular file" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "absent/x.html"), "the folder"),
        (("-o", "absent/"), "the folder"),
        (("--json", "folder"), "is a folder"),
        (("-o", "cells.h5ad/x.html"), "cannot write"),
        (("-o", "read_only.html", "--force"), "read-only"),
        (("-o", "n" * 300), "cannot write"),
    ],
)
def test_places_that_cannot_be_written_are_found_before_computing(stub, options, words):
    Path("folder").mkdir()
    Path("read_only.html").write_text(PAGE)
    Path("read_only.html").chmod(0o444)
    result = run("report", "cells.h5ad", *options)
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert stub.calls == []


def test_failure_while_writing_leaves_the_old_files_and_no_new_ones(stub, monkeypatch):
    run("report", "cells.h5ad")
    before = Path("cells.infocheck.html").read_bytes()
    stub.text = "second"
    written = Path.write_bytes

    def full(path, content):
        if b'"schema"' in content:
            written(path, content[:5])
            raise OSError(28, "No space left on device")
        return written(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    result = run("report", "cells.h5ad")
    assert result.exit_code == 3
    assert "No space left" in result.stderr
    assert Path("cells.infocheck.html").read_bytes() == before
    assert files() == ["cells.h5ad", "cells.infocheck.html", "cells.infocheck.json"]


def test_permissions_follow_the_umask_and_the_file_that_is_replaced(stub):
    run("report", "cells.h5ad")
    umask = os.umask(0)
    os.umask(umask)
    assert Path("cells.infocheck.html").stat().st_mode & 0o777 == 0o666 & ~umask
    Path("cells.infocheck.html").chmod(0o640)
    run("report", "cells.h5ad")
    assert Path("cells.infocheck.html").stat().st_mode & 0o777 == 0o640


# Exit codes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "fail_on", "code"),
    [
        (Answer.EXCLUDED, None, 0),
        (Answer.EXCLUDED, "excluded", 1),
        (Answer.NOT_EXCLUDED, "excluded", 0),
        (Answer.NOT_ASSESSED, "excluded", 0),
        (Answer.SUPPORTED, "excluded", 0),
        (Answer.EXCLUDED, "not_excluded", 1),
        (Answer.NOT_EXCLUDED, "not_excluded", 1),
        (Answer.NOT_ASSESSED, "not_excluded", 1),
        (Answer.SUPPORTED, "not_excluded", 0),
    ],
)
def test_fail_on(stub, verdict, fail_on, code):
    stub.verdict = verdict
    options = ("--fail-on", fail_on) if fail_on else ()
    assert run("report", "cells.h5ad", *options).exit_code == code
    assert len(files()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("report",), "--demo"),
        (("report", "cells.h5ad", "--demo"), "--demo"),
        (("report", "cells.h5ad", "--goal", "confident_edge"), "Did you mean 'confident_edges'"),
        (("report", "cells.h5ad", "--bach", "b"), "--ba"),
        (("report", "cells.h5ad", "--fail-on", "never"), "not_excluded"),
        (("report", "cells.h5ad", "--seed", "-1"), "--seed"),
        (("report", "cells.h5ad", "-o", "-"), "--json -"),
        (("report", "cells.h5ad", "-o", "x.json"), "--json"),
        (("report", "cells.h5ad", "-o", "x.html", "--json", "x.html"), "two files"),
        (("explain", "nothing"), "nothing"),
        (("walk",), "walk"),
    ],
)
def test_usage_errors(stub, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""
    assert stub.calls == []


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("cell.h5ad", "did you mean cells.h5ad?"),
        ("folder", "is a folder"),
        ("empty.csv", "is empty"),
        ("absent/cells.h5ad", "there is no file"),
        ("n" * 300, "cannot read"),
    ],
)
def test_unusable_files_are_found_before_anything_heavy_is_imported(stub, file, words):
    Path("folder").mkdir()
    Path("empty.csv").touch()
    result = run("report", file)
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert stub.calls == []


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--regulators", ["human", "mouse", "all", "var:is_tf", "jaspar:fly"]),
        ("--targets", ["all", "500"]),
    ],
)
def test_lists_must_exist_but_words_are_no_files(stub, option, words):
    assert run("report", "cells.h5ad", option, "absent.txt").exit_code == 3
    assert stub.calls == []
    for word in words:
        assert run("report", "cells.h5ad", option, word).exit_code == 0


def test_input_error_is_one_line(stub):
    stub.raises = InputError("no counts:\n  name a layer")
    result = run("report", "cells.h5ad", "--quiet")
    assert result.exit_code == 3
    assert result.stderr == "error: no counts: name a layer\n"
    assert files() == ["cells.h5ad"]


def test_crashed_check_still_gives_a_report_and_outranks_fail_on(stub):
    stub.status, stub.verdict = Status.ERROR, Answer.EXCLUDED
    assert run("report", "cells.h5ad", "--fail-on", "excluded").exit_code == 4
    assert len(files()) == 3


def test_fault_of_ours_is_one_line_and_tells_how_to_see_more(stub):
    stub.raises = ZeroDivisionError("division by zero")
    result = run("report", "cells.h5ad", "--quiet")
    assert result.exit_code == 70
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: internal ZeroDivisionError: division by zero")
    assert "-v" in result.stderr
    assert "Traceback" in run("report", "cells.h5ad", "-v").stderr


def test_interruption_leaves_nothing(stub):
    stub.raises = KeyboardInterrupt()
    result = run("report", "cells.h5ad")
    assert result.exit_code == 130
    assert "Traceback" not in result.output
    assert files() == ["cells.h5ad"]


# Streams ------------------------------------------------------------------------------


def test_words_go_to_stderr_only(stub):
    result = run("report", "cells.h5ad")
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "reading",
        "reliability",
        "▲ Not excluded  edges 0.14–0.2",
        "Report  cells.infocheck.html",
        "Data    cells.infocheck.json",
    ]


def test_libraries_do_not_talk_into_the_words(tmp_path):
    change = (
        "import logging, warnings\n"
        "stub.during = lambda: (logging.getLogger('a').warning('log'), warnings.warn('warned'))"
    )
    _, words = stubbed_process("report", "--demo", change=change, cwd=tmp_path).communicate()
    assert b"log" not in words
    assert b"warned" not in words
    process = stubbed_process("report", "--demo", "-v", change=change, cwd=tmp_path)
    assert b"log" in process.communicate()[1]


def test_quiet(stub):
    result = run("report", "cells.h5ad", "--quiet")
    assert result.output == ""
    assert len(files()) == 3


def test_options_reach_the_pipeline(stub):
    Path("tf.txt").write_text("A")
    options = {
        "batch": "b",
        "donor": "d",
        "cell_type": "c",
        "condition": "k",
        "cell_cycle": "phase",
        "perturbation": "p",
        "control": "none",
        "time": "t",
        "counts": "raw",
        "regulators": "tf.txt",
        "targets": "500",
        "formula": "~ b + (1|d)",
        "protein": "adt",
        "guide": "g",
        "goal": "modules",
    }
    tables = {"protein_map": "map.csv", "half_lives": "hours.csv", "regulons": "prior.csv"}
    for name in tables.values():
        Path(name).write_text("A")
    words = [word for pair in (options | tables).items() for word in (_flag(pair[0]), pair[1])]
    run("report", "cells.h5ad", *words, "--transpose", "--seed", "7", "--jobs", "2")
    source, given = stub.calls[0]
    command = given.pop("command")
    assert source == Path("cells.h5ad")
    paths = {key: Path(name) for key, name in tables.items()}
    rest = {"targets": 500, "transpose": True, "seed": 7, "jobs": 2}
    assert given == {**options, **paths, **rest}
    assert command.startswith("infocheck report cells.h5ad --batch b --donor d --cell-type c ")
    assert "--transpose --goal modules --seed 7" in command


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def test_command_in_the_provenance_tells_no_folder(stub, tmp_path):
    Path("my tf.txt").write_text("A")
    run("report", str(tmp_path / "cells.h5ad"), "--regulators", str(tmp_path / "my tf.txt"))
    command = stub.calls[0][1]["command"]
    assert str(tmp_path) not in command
    assert "cells.h5ad --regulators 'my tf.txt'" in command


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_console_that_lacks_characters(tmp_path, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    process = stubbed_process("report", "--demo", "--json", "-", cwd=tmp_path, env=environment)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out.decode(encoding))["text"] == "ρ ≥ 0.2 "
    assert "Not excluded" in err.decode(encoding)


def test_interrupt_signal(tmp_path):
    process = stubbed_process(
        "report",
        "--demo",
        # A shell that runs the tests in its background hands down that SIGINT is ignored.
        change="import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "stub.during = lambda: (print('on', flush=True), time.sleep(60))",
        cwd=tmp_path,
    )
    assert process.stdout.readline().strip() == b"on"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert files(tmp_path) == []


def test_reader_that_goes_away_is_no_traceback(tmp_path):
    process = stubbed_process(
        "report", "--demo", "--json", "-", change="stub.text = 'x' * 10**6", cwd=tmp_path
    )
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=30) == 141
    assert b"Traceback" not in err


def test_terminal_shows_a_bar_and_honours_no_color(stub, monkeypatch):
    pty = pytest.importorskip("pty")
    main_end, child_end = pty.openpty()
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    process = stubbed_process("report", "--demo", stderr=child_end, env=environment)
    process.wait(timeout=60)
    os.close(child_end)
    shown = os.read(main_end, 100_000).decode("utf-8", "replace")
    assert process.returncode == 0
    assert "reliability" in shown
    assert "Report  demo.infocheck.html" in shown
    assert "\x1b[3" not in shown  # no foreground colour


# The other commands -------------------------------------------------------------------


def test_version():
    assert run("--version").stdout.startswith("infocheck ")


@pytest.mark.parametrize("command", ["list", "schema"])
def test_data_commands_print_and_write_json(stub, command):
    assert run(command).exit_code == 0
    printed = run(command, "--json", "-").stdout
    assert run(command, "-o", "x.json").exit_code == 0
    assert json.loads(printed) == json.loads(Path("x.json").read_text("utf-8"))
    assert run(command, "--json", "x.json", "--quiet").output == ""
    Path("x.json").write_text("mine")
    assert run(command, "-o", "x.json").exit_code == 3
    assert run(command, "-o", "x.json", "--force").exit_code == 0


def test_a_report_is_not_replaced_by_another_kind_of_document(stub):
    run("report", "cells.h5ad")
    assert run("list", "-o", "cells.infocheck.json").exit_code == 3


def test_list_names_stages_without_a_check():
    from infocheck.check import all_checks
    from infocheck.explain import documents, overview

    text = overview(all_checks())
    assert all(check.name in text and check.question in text for check in all_checks())
    covered = {str(check.stage) for check in all_checks()}
    missing = documents(all_checks())["stages_without_check"]
    assert covered.isdisjoint(missing)


def test_explain_every_check():
    from infocheck.check import all_checks

    for check in all_checks():
        text = run("explain", check.name).stdout
        assert check.question in text
        assert "Misleads" in text
        facts = json.loads(run("explain", check.name, "--json", "-").stdout)
        assert facts["schema"] == "infocheck.check/1"
        assert len(facts["references"]) == len(check.references)


# The real pipeline --------------------------------------------------------------------


def test_demo(tmp_path):
    command = [sys.executable, "-m", "infocheck", "report", "--demo"]
    environment = {**os.environ, "PYTHONPATH": PATHS[1]}
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "timeout": 300}
    done = subprocess.run(command, check=False, **options)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""
    assert files(tmp_path) == ["demo.infocheck.html", "demo.infocheck.json"]
    document = json.loads((tmp_path / "demo.infocheck.json").read_text("utf-8"))
    assert list(document["goals"]) == [goal.key for goal in GOALS]
    assert subprocess.run(command, check=False, **options).returncode == 0


def test_schema_mark_knows_the_real_schema(tmp_path):
    place = tmp_path / "schema.json"
    for _ in range(2):
        done = run("schema", "-o", str(place))
        assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("content", ["not an h5ad file", "a,b\n1,x\n"])
def test_unreadable_data_is_one_line(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    name = "data.h5ad" if "h5ad" in content else "data.csv"
    Path(name).write_text(content)
    done = run("report", name, "--quiet")
    assert done.exit_code == 3, done.output
    assert done.stderr.count("\n") == 1
    assert files() == [name]
