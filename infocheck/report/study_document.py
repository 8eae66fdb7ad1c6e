"""Study → JSON document ``infocheck.design/1``."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

from infocheck.report.document import dumps, plain, records

if TYPE_CHECKING:
    from infocheck.planning.study import Study

SCHEMA = "infocheck.design/1"
_AXES = ("donors", "cells", "depth")


def schema() -> dict:
    """The JSON Schema of the document."""
    text = resources.files("infocheck.report").joinpath("design.schema.json").read_text("utf-8")
    return json.loads(text)


def to_document(study: Study) -> dict:
    """The study as plain values: no NaN, at most six digits, fixed order of keys."""
    system, run = study.system, study.provenance
    first = ("version", "thresholds_version", "command", "seed", "draws", "seconds")
    return {
        "schema": SCHEMA,
        "sentence": study.sentence,
        "system": {
            **{
                key: getattr(system, key)
                for key in ("name", "title", "organism", "assay", "kind", "donor", "row")
            },
            "notes": list(system.notes),
            "pilot": plain(dict(system.pilot)) or None,
        },
        "plan": plain(vars(study.plan)),
        "screen": plain(vars(study.screen)) if study.screen else None,
        "optimum": _optimum(study),
        "tables": {name: records(table) for name, table in study.tables.items()},
        "provenance": {
            **{key: plain(run.get(key)) for key in first},
            "packages": plain(dict(run.get("packages") or {})),
        },
    }


def to_json(study: Study) -> str:
    """The document as text."""
    return dumps(to_document(study))


def _optimum(study: Study) -> dict:
    best = study.best
    known = {"depth": study.system.has_depth, "umis": study.system.kind == "umis"}
    found: dict[str, object] = {"reached": study.reached, "limited_by": study.limited_by}
    for axis in (*_AXES, "umis", "power"):
        ends = ("", "_low", "_high")
        names = ("value", "low", "high")
        found[axis] = (
            {name: plain(best[axis + end]) for name, end in zip(names, ends, strict=True)}
            if known.get(axis, True)
            else None
        )
    for name in ("batches", "rows", "effective_rows", "readable_share", "cost"):
        found[name] = plain(best[name])
    return found
