"""The whole command on real data sets, where they are at hand.

INFOCHECK_SHARED names the folder (default: ``../shared`` beside the repository); it holds
``data/NAME.h5ad``. These tests are about running: what the numbers mean on these data is
the matter of the validation study.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import infocheck
from infocheck.goals import GOALS
from infocheck.result import Answer

pytestmark = pytest.mark.shared

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("INFOCHECK_SHARED", ROOT.parent / "shared")) / "data"

# One of a kind each: counts and logs, cells and bulk, series and knock-outs, wide and tiny.
NAMES = (
    "beeline_hHEP_TF500",
    "cardamom_FN4",
    "dream4_100_net1_knockouts",
    "dream4_10_net1_timeseries",
    "dream5_net1_29samples",
    "ecoli_genenet9",
    "intestine_zones_mrna_protein",
    "kang_pbmc_ifnb_donors",
    "krumsiek11_toymodel",
    "scmix_5lines_plates",
)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_report_on(name, tmp_path):
    source = DATA / f"{name}.h5ad"
    if not source.exists():
        pytest.skip("the shared data sets are not here")
    jsonschema = pytest.importorskip("jsonschema")
    document_module = pytest.importorskip("infocheck.report.document")

    before = digest(source)
    done = subprocess.run(
        [sys.executable, "-m", "infocheck", "report", str(source), "--quiet"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(infocheck.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    assert digest(source) == before

    text = (tmp_path / f"{name}.infocheck.json").read_text("utf-8")
    document = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
    jsonschema.validate(document, document_module.schema())
    assert list(document["goals"]) == [goal.key for goal in GOALS]
    # Expression alone never supports more than modules.
    supported = {
        key for key, goal in document["goals"].items() if goal["verdict"] == Answer.SUPPORTED
    }
    assert supported <= {"modules"}
    page = (tmp_path / f"{name}.infocheck.html").read_text("utf-8")
    assert str(source.parent) not in page
    assert len(page) < 3_000_000


@pytest.mark.parametrize("name", ["negctrl_scmix_RNAmix", "scmix_3lines_celseq2_dropseq"])
def test_mixtures_hold_no_network(name):
    """Diluted RNA and mixed cell lines: no regulatory variation, so any network is an artefact."""
    source = DATA / f"{name}.h5ad"
    if not source.exists():
        pytest.skip("the shared data sets are not here")
    goals = infocheck.assess(source).goals
    for key in ("confident_edges", "whole_network"):
        assert goals[key].verdict is Answer.EXCLUDED
        assert goals[key].limiting_stage == "sampling"
