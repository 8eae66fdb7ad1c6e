"""What selectors promise on real regulators, what they keep, and what known networks say.

    python reports/fdr/calibration.py FOLDER [--only NAME ...] [--out FOLDER]

FOLDER holds ``manifest.csv``, ``NAME.h5ad`` and networks. Every data set goes through the
check ``fdr``, and those with a network that is no generic prior through the check
``agreement``, with seed 0. Writes ``calibration.csv``, one row a data set, selector and kind of
targets, ``observed.csv``, one row a data set, selector and nominal rate, and ``calibration.md``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from infocheck import Dataset
from infocheck.calibration import CORRELATION, KNOCKOFFS, LINEAR, STEPS
from infocheck.checks import agreement
from infocheck.checks.fdr import FalseDiscoveries
from infocheck.engine import Engine
from infocheck.moments import Moments
from infocheck.networks import read_reference

NOMINAL = 0.1
# The manifest's words, as `infocheck report --network-class` has them.
CLASSES = {
    "simulator truth": "simulator",
    "functional": "knockout",
    "curated": "curated",
    "ChIP": "chip",
}
LISTED = 5  # selectors find at least so many pairs that can be judged, to be shown


def measured(path: Path, name: str, gold: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of ``calibration.csv`` and of ``observed.csv`` for one data set."""
    engine = Engine()
    with engine.running():
        data = Dataset.open(path / f"{name}.h5ad", engine=engine)
        data = data.with_moments(Moments.of(data))
        found = FalseDiscoveries().run(data, 0)
        facts = {"data": name, "rows": data.n, "regulators": data.panel.p}
        kept, seen = pd.DataFrame(), pd.DataFrame()
        if "curves" in found.tables:
            curves = found.tables["curves"]
            row = found.tables["summary"].iloc[0]
            kept = curves[curves["nominal"] == NOMINAL].drop(columns="nominal")
            kept = kept.assign(
                **facts,
                chosen=kept["selector"] == row["selector"],
                headline=kept["hidden"] == row["hidden_factor"],
                discoveries=row["discoveries"],
                swap_p=found.tables["swaps"]["p_value"][0],
            )
        network = path / f"{name}.network.csv"
        if gold in CLASSES and network.exists():
            reference = read_reference(network, network_class=CLASSES[gold])
            scored = agreement.Agreement().run(data.with_network(reference), 0)
            if "fdr" in scored.tables:
                seen = scored.tables["fdr"].assign(**facts, gold=CLASSES[gold])
    return kept, seen


def page(kept: pd.DataFrame, seen: pd.DataFrame, seconds: float) -> str:
    """The tables in words."""
    parts = [
        "# What selectors keep on real regulators",
        f"`python reports/fdr/calibration.py DATA`: {kept['data'].nunique()} data sets, seed 0, "
        f"{seconds:.0f} s; all rows in `calibration.csv` and `observed.csv`. Share of false "
        f"discoveries at a nominal rate of {NOMINAL:.0%}.",
        "## Over all data sets",
        "Median over data sets of the mean of eight simulated networks; in brackets, in how many "
        "data sets at most 15 % is false. A selector that finds nothing keeps every rate: *finds "
        "nothing* counts such data sets, linear targets.",
        _selectors(kept),
        "## The selector of the headline, by data set",
        "The worse of linear targets and step functions, with the 95 % interval over networks; "
        "power for linear targets; and the share with the hidden factor of the headline.",
        _headlines(kept),
        "## Against known networks",
        "Pairs that the network can judge and no others, at the same nominal rate. A list of "
        "known edges counts what nobody has studied as false, so real networks show too much; "
        "those of simulators are the truth. Where regulators are targets as well, as in most "
        "simulated networks, a dependence is found from both sides, and one of them is the wrong "
        "direction. The selector's simulated share stands beside.",
        _observed(kept, seen),
    ]
    return "\n\n".join(parts) + "\n"


def _selectors(kept: pd.DataFrame) -> str:
    lines = [
        "| selector | linear targets | step functions | linear, with the hidden factor of the "
        "headline | finds nothing |",
        "|---|---|---|---|---|",
    ]
    for selector, own in kept.groupby("selector", sort=False):
        cells = []
        plain = own[own["hidden"] == ""]
        for part in (
            plain[plain["targets"] == LINEAR],
            plain[plain["targets"] == STEPS],
            own[own["headline"]],
        ):
            if part.empty:
                cells.append("–")
                continue
            number = int((part["realised"] <= 0.15).sum())
            cells.append(f"{part['realised'].median():.2f} ({number} of {len(part)})")
        silent = plain[(plain["targets"] == LINEAR) & (plain["power"] == 0)]
        lines.append(f"| {selector} | {' | '.join(cells)} | {len(silent)} |")
    return "\n".join(lines)


def _headlines(kept: pd.DataFrame) -> str:
    lines = [
        "| data | rows × regulators | selector | realised | power | real discoveries | "
        "hidden factor | realised with it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, own in kept[kept["chosen"]].groupby("data"):
        plain = own[(own["hidden"] == "") & own["targets"].isin((LINEAR, STEPS))]
        worst = plain.loc[plain["realised"].idxmax()]
        power = plain.loc[plain["targets"] == LINEAR, "power"].iloc[0]
        hidden = own[own["headline"]].iloc[0]
        lines.append(
            f"| {name} | {worst['rows']:,} × {worst['regulators']} | {worst['selector']} | "
            f"{_interval(worst)} | {power:.2f} | {worst['discoveries']:,.0f} | "
            f"{hidden['hidden']} | {_interval(hidden)} |"
        )
    return "\n".join(lines)


def _interval(row: pd.Series) -> str:
    if row["empty"] == 1:
        return "finds nothing"
    ends = f"{row['realised_low']:.2f}–{row['realised_high']:.2f}"
    return f"{row['realised']:.2f} ({ends})"


def _observed(kept: pd.DataFrame, seen: pd.DataFrame) -> str:
    lines = [
        "| data | class of the network | selector | found | observed false | simulated targets |",
        "|---|---|---|---|---|---|",
    ]
    simulated = kept[kept["hidden"] == ""].groupby(["data", "selector"])["realised"].max()
    names = {
        agreement.CORRELATION: CORRELATION,
        agreement.KNOCKOFFS: f"{KNOCKOFFS}{agreement.KNOCKOFF_STATISTIC}",
    }
    at = seen[(seen["nominal_fdr"] == NOMINAL) & seen["selector"].isin(names)]
    for row in at[at["found"] >= LISTED].itertuples():
        ends = f"{row.observed_fdr_low:.2f}–{row.observed_fdr_high:.2f}"
        beside = simulated.get((row.data, names[row.selector]), np.nan)
        lines.append(
            f"| {row.data} | {row.gold} | {row.selector} | {row.found:,} | "
            f"{row.observed_fdr:.2f} ({ends}) | {beside:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", help="names of data sets")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    manifest = pd.read_csv(options.folder / "manifest.csv")
    if options.only:
        manifest = manifest[manifest["name"].isin(options.only)]
    began = time.perf_counter()
    kept, seen = [], []
    for row in manifest.itertuples():
        start = time.perf_counter()
        one, other = measured(options.folder, row.name, str(row.gold_kind))
        kept.append(one)
        seen.append(other)
        print(f"{row.name}: {time.perf_counter() - start:.1f} s", flush=True)
    kept = pd.concat([part for part in kept if len(part)], ignore_index=True)
    seen = pd.concat([part for part in seen if len(part)], ignore_index=True)
    options.out.mkdir(parents=True, exist_ok=True)
    first = ["data", "rows", "regulators", "selector", "targets", "hidden"]
    kept = kept[[*first, *(name for name in kept if name not in first)]]
    kept.to_csv(options.out / "calibration.csv", index=False, float_format="%.4g")
    seen.to_csv(options.out / "observed.csv", index=False, float_format="%.4g")
    text = page(kept, seen, time.perf_counter() - began)
    (options.out / "calibration.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
