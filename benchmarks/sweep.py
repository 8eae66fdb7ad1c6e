"""Every shared data set through the whole command.

    python benchmarks/sweep.py [--shared ../shared] [--out sweep]

Writes the pages, the JSON documents and ``sweep.csv`` (one row a data set: exit code,
validity, seconds, peak memory, size of the page, verdicts) and prints median and worst.
Exits with 1 when a run crashed or a document is not valid; a data set that infocheck
refuses in one sentence (exit code 3) is listed, not counted as a failure.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from collections import Counter
from pathlib import Path

import jsonschema
from measure import Run, report

from infocheck.goals import GOALS
from infocheck.report.document import schema
from infocheck.result import Stage

MEASURES = {"seconds": "seconds", "peak_mb": "peak memory, MB", "page_kb": "page, KB"}
FIELDS = [
    "name",
    "n_obs",
    "n_vars",
    "code",
    "problem",
    *MEASURES,
    *(f"goal_{goal.key}" for goal in GOALS),
    *(f"stage_{stage}" for stage in Stage),
]


def main() -> int:
    arguments = parse()
    files = sorted((arguments.shared / "data").glob("*.h5ad"))
    if not files:
        print(f"no .h5ad files in {arguments.shared / 'data'}", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with (arguments.out / "sweep.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, FIELDS)
        writer.writeheader()
        for file in files:
            rows.append(sweep(file, arguments.out))
            writer.writerow(rows[-1])
            table.flush()  # an interrupted sweep keeps what it has
            print(line(rows[-1]), flush=True)
    print(summary(rows))
    return int(any(failed(row) for row in rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="has data/*.h5ad")
    parser.add_argument("--out", type=Path, default=Path("sweep"), help="folder of the results")
    return parser.parse_args()


def sweep(file: Path, out: Path) -> dict[str, object]:
    """Run one data set and hold its document against the schema."""
    page = out / f"{file.stem}.infocheck.html"
    document = page.with_suffix(".json")
    for old in (page, document):
        old.unlink(missing_ok=True)
    ran = report(file, page, "--quiet")
    row = {
        "name": file.stem,
        "code": ran.code,
        "seconds": round(ran.seconds, 2),
        "peak_mb": round(ran.peak_mb),
    }
    if not (page.exists() and document.exists()):
        return {**row, "problem": last_line(ran)}
    row["page_kb"] = round(page.stat().st_size / 1000)
    try:
        content = json.loads(document.read_text("utf-8"), parse_constant=refuse)
        jsonschema.validate(content, schema())
    except (ValueError, jsonschema.ValidationError) as problem:
        return {**row, "problem": f"invalid: {str(problem).splitlines()[0]}"}
    return {**row, **verdicts(content), "problem": crashed_checks(content)}


def verdicts(content: dict) -> dict[str, object]:
    return {
        "n_obs": content["dataset"]["n_obs"],
        "n_vars": content["dataset"]["n_vars"],
        **{f"goal_{key}": goal["verdict"] for key, goal in content["goals"].items()},
        **{f"stage_{key}": stage["status"] for key, stage in content["stages"].items()},
    }


def crashed_checks(content: dict) -> str:
    crashed = (name for name, check in content["checks"].items() if check["status"] == "error")
    return "; ".join(f"{name}: {content['checks'][name]['reason']}" for name in crashed)


def refuse(word: str) -> None:
    raise ValueError(f"{word} in the document")


def last_line(ran: Run) -> str:
    lines = ran.words.splitlines()
    return lines[-1] if lines else f"exit code {ran.code} without a word"


def failed(row: dict[str, object]) -> bool:
    return row["code"] not in (0, 3) or str(row["problem"]).startswith("invalid")


def line(row: dict[str, object]) -> str:
    words = row["problem"] or row.get("goal_confident_edges", "")
    return (
        f"{row['name']:<36} exit {row['code']:<3} {row['seconds']:7.2f} s "
        f"{row['peak_mb']:6} MB {row.get('page_kb', '-'):>6} KB  {words}"
    )


def summary(rows: list[dict[str, object]]) -> str:
    lines = ["", f"{len(rows)} data sets, exit codes {dict(Counter(r['code'] for r in rows))}"]
    for key, label in MEASURES.items():
        measured = [(row[key], row["name"]) for row in rows if key in row]
        if measured:
            worst, name = max(measured)
            median = statistics.median(value for value, _ in measured)
            lines.append(f"{label:<18} median {median:8.1f}   worst {worst:8.1f}  {name}")
    for goal in GOALS:
        counts = Counter(row.get(f"goal_{goal.key}", "no report") for row in rows)
        counted = ", ".join(f"{answer} {n}" for answer, n in sorted(counts.items()))
        lines.append(f"{goal.key:<24} {counted}")
    lines += [f"FAILED  {row['name']}: {row['problem']}" for row in rows if failed(row)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
