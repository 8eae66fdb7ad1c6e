"""Upper bound against what the tested methods realise where the network is known.

    python reports/signal/realised.py --data DIR [--simulated 20] [--out FOLDER]

reads ``manifest.csv`` in DIR, takes every data set whose network generated the data, and writes for
each the bound of the ``power`` check beside the normalised AUPR of the tested methods and of their
consensus: ``realised.csv`` and ``realised.md``. ``--simulated N`` adds N small data sets of
:func:`infocheck.simulate`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from infocheck.checks.power import EACH, POOLED, Power
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate
from infocheck.stats.partial import Shrunken, shrinkage_weight
from infocheck.stats.ranking import normalised_precision
from infocheck.stats.spike_in import panel_scores

SCOPES = ("all pairs", "pairs of the network", "one regulator")


def opened(path: str | Path) -> Dataset:
    """The data set with every gene as a target, and its sums."""
    data = Dataset.open(path, targets="all")
    return data.with_moments(Moments.of(data))


def realised(path_h5ad: str | Path, path_network: str | Path) -> dict:
    """Normalised AUPR of each method and of their consensus (mean of ranks).

    Parameters
    ----------
    path_h5ad
        The data; regulators come from it, never from the network.
    path_network
        Columns source and target.

    Returns
    -------
    dict
        ``rows``, ``regulators``, ``genes``, ``edges``, and ``scores``: for each method and
        ``consensus`` the normalised AUPR over all pairs (regulators × all genes), over the pairs
        of the network (regulators that are sources × genes with an edge), and the mean over
        regulators with a target.
    """
    return realised_of(opened(path_h5ad), pd.read_csv(path_network))


def realised_of(data: Dataset, network: pd.DataFrame) -> dict:
    """The same for a data set that is open."""
    panel = data.panel
    correlation = data.moments.total().correlation()
    gram = correlation[:, : panel.p]
    own = np.where(np.arange(len(panel.genes)) < panel.p, np.arange(len(panel.genes)), -1)
    halves = data.moments.half(0, 0) + data.moments.half(0, 1)
    model = Shrunken.of(gram, shrinkage_weight(halves))
    scores = panel_scores(gram, model, correlation, own)
    pairs = np.ones(correlation.shape, dtype=bool)
    pairs[np.arange(panel.p), np.arange(panel.p)] = False
    ranks = []
    for values in scores.values():
        rank = np.zeros(pairs.shape)
        rank[pairs] = rankdata(values[pairs])
        ranks.append(rank)
    scores["consensus"] = np.mean(ranks, axis=0)

    truth, inside = _truth(data, network, pairs)
    return {
        "rows": data.n,
        "regulators": panel.p,
        "genes": len(panel.genes),
        "edges": int(truth.sum()),
        "scores": {
            name: dict(zip(SCOPES, _three(values, truth, pairs, inside), strict=True))
            for name, values in scores.items()
        },
    }


def _truth(
    data: Dataset, network: pd.DataFrame, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs are edges, and which belong to the network's own universe."""
    genes = data.names(np.arange(len(data.panel.genes)))
    position = {gene: i for i, gene in enumerate(genes)}
    source = network["source"].astype(str).map(position)
    target = network["target"].astype(str).map(position)
    known = source.notna() & target.notna() & (source < data.panel.p)
    truth = np.zeros(pairs.shape, dtype=bool)
    truth[source[known].astype(int), target[known].astype(int)] = True
    truth &= pairs
    in_network = np.zeros(len(genes), dtype=bool)
    in_network[pd.concat([source, target]).dropna().astype(int)] = True
    inside = pairs & np.outer(truth.any(axis=1), in_network)
    return truth, inside


def _three(
    values: np.ndarray, truth: np.ndarray, pairs: np.ndarray, inside: np.ndarray
) -> tuple[float, float, float]:
    each = [
        normalised_precision(values[i, pairs[i]], truth[i, pairs[i]])
        for i in np.flatnonzero(truth.any(axis=1))
    ]
    return (
        float(normalised_precision(values[pairs], truth[pairs])),
        float(normalised_precision(values[inside], truth[inside])),
        float(np.nanmean(each)) if np.isfinite(each).any() else float("nan"),
    )


def compared(name: str, data: Dataset, network: pd.DataFrame) -> dict:
    """One line of the table: bounds beside what was realised."""
    result = Power().run(data, seed=0)
    if "bound" not in result.tables:
        return {"name": name, "rows": data.n, "reason": result.verdict.reason}
    high = result.tables["bound"].groupby("edges")["high"].max()
    found = realised_of(data, network)
    consensus = found["scores"].pop("consensus")
    return {
        "name": name,
        **{key: found[key] for key in ("rows", "regulators", "genes", "edges")},
        "h2": result.tables["heritability"]["mean"].iloc[-1],
        "bound": high[POOLED],
        "consensus": consensus["all pairs"],
        "best": max(scores["all pairs"] for scores in found["scores"].values()),
        "consensus_network": consensus["pairs of the network"],
        "bound_each": high[EACH],
        "consensus_each": consensus["one regulator"],
        "best_each": max(scores["one regulator"] for scores in found["scores"].values()),
    }


def known_sets(folder: Path) -> list[tuple[str, Path, Path]]:
    """Data sets whose network generated them."""
    manifest = pd.read_csv(folder / "manifest.csv")
    right = manifest["gold_kind"].eq("simulator truth") & manifest["gold_valid"].eq("yes")
    return [
        (name, folder / f"{name}.h5ad", folder / f"{name}.network.csv")
        for name in manifest.loc[right, "name"]
    ]


def simulated_sets(count: int) -> list[tuple[str, dict]]:
    """Small cases, each with its own size, depth and network; seeds 0 to count - 1."""
    cases = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        options = {
            "n_obs": int(rng.choice([60, 200, 800])),
            "n_genes": 150,
            "n_regulators": int(rng.choice([10, 30, 60])),
            "depth": float(rng.choice([500, 3000, 20_000])),
            "r2": float(rng.choice([0.05, 0.2, 0.5, 0.9])),
            "parents": float(rng.choice([1.0, 2.0, 4.0])),
            "hidden_share": float(rng.choice([0.0, 0.2])),
            "seed": seed,
        }
        cases.append((f"simulated_{seed:02d}", options))
    return cases


def table(folder: Path | None, count: int) -> pd.DataFrame:
    """All comparisons."""
    lines = []
    for name, path, network in known_sets(folder) if folder else []:
        lines.append(compared(name, opened(path), pd.read_csv(network)))
    with tempfile.TemporaryDirectory() as scratch:
        for name, options in simulated_sets(count):
            adata = simulate(**options)
            path = Path(scratch) / f"{name}.h5ad"
            adata.write_h5ad(path)
            lines.append(compared(name, opened(path), adata.uns["network"]))
    return pd.DataFrame(lines)


PAIRS = (
    ("bound", "consensus"),
    ("bound", "best"),
    ("bound", "consensus_network"),
    ("bound_each", "consensus_each"),
    ("bound_each", "best_each"),
)


def page(found: pd.DataFrame) -> str:
    """The table, and how often the bound held."""
    assessed = found[found["bound"].notna() & found["consensus"].notna()]
    lines = [
        "# Upper bound against what was realised",
        "",
        "`python reports/signal/realised.py --data FOLDER --simulated 20`: data sets whose "
        "network generated them, and 20 simulated ones. Normalised AUPR of the tested methods "
        "(correlation, shrinkage partial correlation, lasso entry) and of their consensus, over "
        "all pairs of regulator and target and as a mean over regulators (*each*). A wrong gold "
        "standard is left out.",
        "",
    ]
    columns = ["name", "rows", "regulators", "h2", *dict.fromkeys(sum(PAIRS, ()))]
    lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in found[columns].itertuples(index=False):
        cells = [f"{v:.2f}" if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| realised | within | held | median slack |", "|---|---|---|---|"]
    for bound, value in PAIRS:
        held = assessed[bound] >= assessed[value]
        slack = (assessed[bound] - assessed[value]).median()
        lines.append(f"| {value} | {bound} | {held.sum()} of {len(held)} | {slack:.2f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with manifest.csv")
    parser.add_argument("--simulated", type=int, default=0, help="how many simulated data sets")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    found = table(options.data, options.simulated)
    options.out.mkdir(parents=True, exist_ok=True)
    found.round(6).to_csv(options.out / "realised.csv", index=False, lineterminator="\n")
    text = page(found)
    (options.out / "realised.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
