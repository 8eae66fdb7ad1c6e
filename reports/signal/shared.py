"""All checks over a folder of real and simulated data sets, without any option.

    python reports/signal/shared.py --data FOLDER [--out FOLDER]

Writes ``shared.csv``, one row a data set and check, and ``shared.md``: a table of all
checks over all data sets, and what happens to the stability of one simulated network as
samples are added.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pandas as pd

from infocheck import InputError, assess
from infocheck.check import all_checks
from infocheck.report import Report, words

COLUMNS = ("mark", "status", "estimate", "low", "high", "seconds")
SERIES = re.compile(r"^(syntren_.*)_n(\d+)$")


def measured(path: Path) -> tuple[list[dict], dict]:
    """One row a check, and the facts of the data set."""
    report = assess(path)
    rows = []
    for name, result in report.results.items():
        verdict = result.verdict
        values = (
            words.check_mark(result).glyph,
            verdict.status.value,
            verdict.estimate,
            verdict.low,
            verdict.high,
            result.seconds,
        )
        rows.append({"data": path.stem, "check": name, **dict(zip(COLUMNS, values, strict=True))})
    return rows, facts(path, report)


def facts(path: Path, report: Report) -> dict:
    goal = report.goals["confident_edges"]
    row = {
        "data": path.stem,
        "rows": report.dataset["n_obs"],
        "regulators": report.dataset["regulators"]["n"],
        "edges": goal.verdict.value.replace("_", " "),
        "limiting": goal.limiting_stage.value if goal.limiting_stage else "",
        "at_best": goal.at_best.value if goal.at_best else None,
        "seconds": report.provenance["seconds"],
    }
    summary = report["stability"].tables.get("summary")
    if summary is not None:
        by_name = summary.set_index("statistic")["estimate"]
        row |= {"stab_c": by_name["stab_c"], "stab_pc": by_name["stab_pc"]}
    return row


def cell(row: pd.Series) -> str:
    if pd.isna(row["estimate"]):
        return row["mark"]
    return f"{row['mark']} {row['estimate']:.3g}"


def page(checks: pd.DataFrame, sets: pd.DataFrame, failed: list[str]) -> str:
    names = [check.name for check in all_checks()]
    text = checks.assign(text=checks.apply(cell, axis=1)).set_index(["data", "check"])["text"]
    marks = dict.fromkeys([*words.STATUS.values(), words.EXPLAINS])
    legend = ", ".join(f"{mark.glyph} {mark.word.lower()}" for mark in marks)
    head = ["data", "rows", "regulators", *names, "edges", "limited by", "at best"]
    lines = [
        "# All checks over all data sets",
        "",
        "`python reports/signal/shared.py --data FOLDER`, no other option: roles are guessed, as "
        f"in `infocheck report FILE`. Each cell is the status ({legend}) and the estimate in the "
        "unit of the check; intervals stand in `shared.csv`. *At best* is the upper bound in "
        "normalised AUPR.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for row in sets.itertuples():
        own = [text.get((row.data, name), "") for name in names]
        bound = "" if pd.isna(row.at_best) else f"{row.at_best:.2f}"
        parts = [row.data, f"{row.rows:,}", row.regulators, *own, row.edges, row.limiting, bound]
        lines.append("| " + " | ".join(map(str, parts)) + " |")
    lines += [""] + [f"Refused: {sentence}" for sentence in failed] + [""] * bool(failed)
    return "\n".join(lines + series(sets))


def series(sets: pd.DataFrame) -> list[str]:
    """The same simulated network with more and more samples."""
    found = sets.assign(series=sets["data"].str.extract(SERIES)[0]).dropna(subset=["series"])
    if found.empty:
        return []
    lines = [
        "## One network, more samples",
        "",
        "Agreement of plain correlations (`stab_c`) rises with the number of samples. That of "
        "partial correlations (`stab_pc`) can fall: its shrinkage falls with n, so more of the "
        "weak and noisy edges take part in the ranking, and all edges are ranked. Hence learning "
        "curves and the forecast of more data use `stab_c`, and `stab_pc` is held against its "
        "need only.",
        "",
        "| data | rows | stab_c | stab_pc |",
        "|---|---|---|---|",
    ]
    for row in found.sort_values(["series", "rows"]).itertuples():
        lines.append(f"| {row.data} | {row.rows:,} | {row.stab_c:.3f} | {row.stab_pc:.3f} |")
    for name, part in found.groupby("series"):
        rising = part.sort_values("rows")["stab_c"].is_monotonic_increasing
        lines += [
            "",
            f"{name}: `stab_c` is {'' if rising else 'not '}ordered by the number of rows.",
        ]
    return [*lines, ""]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with .h5ad files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    rows, sets, failed = [], [], []
    for path in sorted(arguments.data.glob("*.h5ad")):
        try:
            more, row = measured(path)
        except InputError as refusal:
            failed.append(str(refusal))
            continue
        rows += more
        sets.append(row)
        print(f"{path.stem}: {row['edges']}, {row['seconds']:.1f} s", file=sys.stderr, flush=True)
    if not rows:
        print(f"no .h5ad file in {arguments.data}", file=sys.stderr)
        return 2
    checks, table = pd.DataFrame(rows), pd.DataFrame(sets)
    arguments.out.mkdir(parents=True, exist_ok=True)
    checks.round(6).to_csv(arguments.out / "shared.csv", index=False, lineterminator="\n")
    (arguments.out / "shared.md").write_text(page(checks, table, failed), encoding="utf-8")
    crashed = checks[checks["status"] == "error"]
    print(f"{len(table)} data sets, {len(crashed)} checks crashed, {len(failed)} refused")
    return int(len(crashed) > 0)


if __name__ == "__main__":
    sys.exit(main())
