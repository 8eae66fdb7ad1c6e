"""Does what the data show agree with a network that the user brings?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import networks, plotting
from infocheck.adjustment import knockoff_statistics
from infocheck.check import Check, Tables, require_rows
from infocheck.errors import NotAssessed
from infocheck.independence import effective_size
from infocheck.networks import Judged, Reference
from infocheck.plotting import Chart
from infocheck.result import Verdict
from infocheck.stats.evaluation import (
    NULLS,
    REWIRED,
    WRONG_LABELS,
    Null,
    Ranking,
    Scores,
    against_null,
    null_networks,
    observed_fdr,
    ratio_interval,
    sign_consistency,
)
from infocheck.stats.knockoff_filter import q_values
from infocheck.stats.partial import Shrunken, shrinkage_weight
from infocheck.stats.selectors import correlation_q
from infocheck.stats.spike_in import METHODS, panel_scores

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Random networks of each kind.
DRAWS = 200
# Fewer edges than this make no ranking.
MIN_EDGES = 5
LEVELS = (0.05, 0.1, 0.2, 0.5)
METHOD, BASELINE = "method", "baseline"

# Targets that knockoffs are asked for: as many as make so many pairs, within limits. Each that
# is a regulator has knockoffs of its own.
KNOCKOFF_PAIRS, KNOCKOFF_TARGETS = 100_000, (50, 300)
KNOCKOFF_STATISTIC = "coefficient"
CORRELATION, KNOCKOFFS = "BH on correlation", "knockoffs with lasso coefficients"

# q-values of the pairs, by selector.
Selected = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Agreement(Check):
    """Edge scores of the data against a known network, beside random networks.

    The network is read here and nowhere else: no verdict of a goal depends on it.
    Misleads when its class is forgotten, since binding is not regulation, and a generic
    prior is no truth of these samples.
    """

    name = "agreement"
    title = "Agreement with a network"
    question = "Do the strongest pairs agree with a network that you bring?"
    gate = False
    unit = "AUPR over prevalence"
    needs = ("a known network",)
    references = (
        "marbach2012",
        "strona2014",
        "benjamini1995",
        "kernfeld2024",
        "schafer2005",
        "efron2004",
        "wilson1927",
        "quenouille1956",
        "candes2018",
    )
    computed = (
        "All pairs of a regulator and a gene of the panel that the network can judge are ranked "
        "by the size of their correlation, their shrinkage partial correlation, and the penalty "
        "at which the regulator enters the lasso of the target. A network of edges alone judges "
        "all its regulators with all its targets; with two sources edges are in both, other "
        "pairs in neither. AUPR is given over the prevalence, AUROC counts equal scores half, and "
        "EPR is the precision among as many pairs as there are edges, over the prevalence. "
        f"Beside each stand {DRAWS} random networks of two kinds: names of regulators and of "
        "targets exchanged, and edges dealt out anew with as many for each gene as before. The "
        "interval of the AUPR ratio is a jackknife over groups of targets. Two baselines know no "
        "regulator: they rank by how often the target is detected and by its variance. Observed "
        "false discovery rates are those of q-values computed on the pairs that can be judged "
        "and no others; knockoffs are asked for at most 300 targets and 4,000 rows. Signs are "
        "those of correlations."
    )
    misleads = (
        "The numbers depend on the class of the network more than on the data: the same "
        "expression can agree with STRING and not with ChIP. A pair that a list of known "
        "edges does not name counts as false, so that observed false discovery rates are too "
        "high. Agreement shows that pairs of the list vary together in these data, not that one "
        "regulates the other; genes with many edges give agreement by themselves, which is what "
        "networks of the same degrees show. The best of three methods is chosen after the "
        "fact. The interval takes the regulators as given."
    )

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        reference = data.network
        if reference is None:
            raise NotAssessed(
                "No network was given to score against. Bring one with --network FILE, and say "
                "what kind of evidence it is with --network-class."
            )
        require_rows(data, "to score pairs of genes")
        found = _judged(data, reference)
        null_rng, interval_rng, knockoff_rng = rng.spawn(3)
        signed, scores = _scores(data, found)
        rankings = {name: Ranking.of_scores(values) for name, values in scores.items()}
        nulls = null_networks(
            rankings,
            found.pairs,
            found.row,
            found.column,
            DRAWS,
            null_rng,
            sign=found.sign,
            predicted=signed,
        )
        scored = {name: ranking.score(found.positions) for name, ranking in rankings.items()}
        tables = {
            "methods": _methods(rankings, scored, found, interval_rng),
            "random_networks": networks.beside(networks.null_table(scored, nulls)),
            "fdr": _fdr(selectors(data, signed, found, knockoff_rng), found),
            "network": _facts(reference, found, nulls),
        }
        if (found.sign != 0).any():
            tables["signs"] = _signs(signed, found, nulls[REWIRED])
        if reference.notes:
            tables["notes"] = pd.DataFrame({"note": reference.notes})
        return tables

    def judge(self, tables: Tables) -> Verdict:
        best = _best(tables["methods"])
        facts = tables["network"].iloc[0]
        null = _chance(tables, best["method"], REWIRED)[1]
        beyond = "beyond" if _number(best["aupr_ratio_low"]) > null else "not beyond"
        chance = (
            f"{beyond} random networks of the same degrees, which reach {null:.2f}"
            if np.isfinite(null)
            else "there is no random network of the same degrees to compare with"
        )
        return Verdict.against(
            estimate=best["aupr_ratio"],
            low=best["aupr_ratio_low"],
            high=best["aupr_ratio_high"],
            need=None,  # agreement is no pass
            floor=None,
            unit=self.unit,
            possible=(0.0, np.inf),
            reason=f"{_upper(best['method'])} ranks the {facts['testable_edges']:,.0f} edges that "
            f"can be tested, of {facts['edges']:,.0f}, at "
            "{estimate:.2f} times the AUPR of guessing ({low:.2f}–{high:.2f}); "
            f"{chance}. The class of the network is {facts['class']}. "
            + networks.caveat(facts["class"]),
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        methods = tables["methods"].iloc[::-1].reset_index(drop=True)
        best = _best(tables["methods"])
        facts = tables["network"].iloc[0]

        def draw(axes, width: float) -> None:
            for y, row in methods.iterrows():
                for kind, shift in zip(NULLS, (-0.22, 0.22), strict=True):
                    ends = _chance(tables, row["method"], kind)
                    colour = "c3" if kind == WRONG_LABELS else "c2"
                    if np.isfinite(ends).all():
                        plotting.whisker(axes, y + shift, np.mean(ends), *ends, colour)
                values = [_number(row[f"aupr_ratio{e}"]) for e in ("", "_low", "_high")]
                plotting.whisker(axes, y, *values)
            plotting.across(axes, 1.0, "Guessing", dashed=True)
            axes.set_yticks(range(len(methods)), methods["method"])
            axes.set_ylim(-0.6, len(methods) - 0.4)
            axes.set_xlim(left=0)
            axes.set_xlabel("AUPR over prevalence")

        charts = {
            "agreement": Chart(
                title=f"{_upper(best['method'])} reaches {best['aupr_ratio']:.2f} times the AUPR "
                f"of guessing on {facts['testable_edges']:,.0f} edges of class {facts['class']}.",
                caption="Blue: AUPR over prevalence with the 95% interval over targets. The middle "
                "95% of random networks: grey, names exchanged; orange, edges dealt out anew with "
                "as many for each gene. Detection and variance of the target know no regulator.",
                draw=draw,
                height=1.3 + 0.75 * len(methods),
            )
        }
        observed = _observed_chart(tables)
        return charts | ({"observed": observed} if observed else {})


def _observed_chart(tables: Tables) -> Chart | None:
    """Observed against nominal share of false discoveries; None where nothing was found."""
    table = tables["fdr"]
    number = ["nominal_fdr", "found", "observed_fdr", "observed_fdr_low", "observed_fdr_high"]
    table = table[table["selector"].isin((CORRELATION, KNOCKOFFS)) & (table["found"] > 0)]
    if table.empty:
        return None
    table = table.astype(dict.fromkeys(number, float))
    shown = {name: table[table["selector"] == name] for name in dict.fromkeys(table["selector"])}
    said = "; ".join(
        f"{name} at a nominal {row['nominal_fdr']:.0%} finds {row['found']:,.0f} pairs, "
        f"{row['observed_fdr']:.0%} of them no known edge"
        for name, row in (
            (name, part.iloc[(part["nominal_fdr"] - 0.1).abs().argmin()])
            for name, part in shown.items()
        )
    )

    def draw(axes, width: float) -> None:
        for (name, part), colour in zip(shown.items(), ("c2", "c1"), strict=False):
            values = (part[key].to_numpy() for key in number if key != "found")
            plotting.curve(
                axes, *values, colour, "Correlation" if name == CORRELATION else "Knockoffs"
            )
        plotting.diagonal(axes, 0.0, max(LEVELS), "")
        axes.set(xlim=(0, max(LEVELS) * 1.25), ylim=(0, 1.02))
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.yaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Nominal rate")
        axes.set_ylabel("No known edge among what is found")

    return Chart(
        title=f"{_upper(said)}.",
        caption="Among the pairs that the network can judge and no others: share of what a "
        "selector finds that is no known edge, with 95% bands, against the rate that it promises "
        "(broken line). What nobody has studied counts as no edge, so that real networks show "
        "too much.",
        draw=draw,
        height=4.4,
    )


def selectors(data: Dataset, r: np.ndarray, found: Judged, rng: np.random.Generator) -> Selected:
    """What an analyst would cut a list with: q-values of the pairs that can be judged.

    They are computed on these pairs alone: q-values of all pairs, filtered, would not hold
    on a part. NaN where a pair was not looked at.

    Parameters
    ----------
    r
        Correlations of the pairs.
    """
    q = {CORRELATION: correlation_q(r, data.n)}
    independent = effective_size(data)
    if 3 <= independent < 0.95 * data.n:
        q[f"{CORRELATION}, effective observations"] = correlation_q(r, independent)
    regulators, targets = _positions(data, found)
    number = int(np.clip(KNOCKOFF_PAIRS // data.panel.p, *KNOCKOFF_TARGETS))
    chosen = np.sort(rng.choice(len(targets), min(number, len(targets)), replace=False))
    w = np.full((data.panel.p, len(targets)), np.nan)
    w[:, chosen] = knockoff_statistics(data, targets[chosen], KNOCKOFF_STATISTIC, rng)
    row, column = found.pairs.all()
    q[KNOCKOFFS] = q_values(w[regulators[row], column])
    return q


def _positions(data: Dataset, found: Judged) -> tuple[np.ndarray, np.ndarray]:
    """Panel positions of the regulators and of the targets of the network."""
    place = {name: at for at, name in enumerate(data.names(np.arange(len(data.panel.genes))))}
    return (
        np.array([place[name] for name in found.regulators]),
        np.array([place[name] for name in found.targets]),
    )


def _judged(data: Dataset, reference: Reference) -> Judged:
    """Pairs of the panel that the network can judge."""
    p = data.panel.p
    names = data.names(np.arange(len(data.panel.genes)))
    found = networks.judged(reference, names[:p], names)
    if found.n_edges == 0:
        raise NotAssessed(_nothing(data, reference, names))
    if found.n_edges < MIN_EDGES:
        raise NotAssessed(
            f"{found.n_edges} edges of the network lie within the panel of genes; at least "
            f"{MIN_EDGES} are needed for a ranking. Bring a network of more of these genes."
        )
    if found.n_edges == found.pairs.size:
        raise NotAssessed(
            "Every pair that the network can judge is an edge, so nothing can be told apart. "
            "Bring the pairs that are none, with the label 0."
        )
    return found


def _nothing(data: Dataset, reference: Reference, names: np.ndarray) -> str:
    """Why no edge of the network lies in the panel, and what to bring."""
    known = set(data.genes)
    edges = [network.table[network.table["edge"]] for network in reference.networks]
    sources, targets = ({*edges[0][key]} for key in ("regulator", "target"))
    if len(edges) > 1 and not len(networks.judged(reference).row):
        return "The two networks share no edge. Bring sources that overlap."
    if not (sources | targets) & known:
        clause = networks.difference(sources | targets, known)
        why = f": {clause}" if clause else ""
        return f"No gene of the network is in the data{why}. Bring it with the names of the data."
    if not sources & set(names[: data.panel.p]):
        return (
            "No regulator of the network is a candidate regulator of these data. Bring a list of "
            "candidates with --regulators, though not one taken from this network: that would "
            "leak the answer."
        )
    return (
        "No edge of the network joins a candidate regulator and a gene of the panel. Bring the "
        "targets with --targets FILE or --targets all."
    )


def _scores(data: Dataset, found: Judged) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Correlation of every pair, and its score by each method and baseline, shape (pairs,)."""
    panel = data.panel
    regulators, targets = _positions(data, found)
    correlation = data.moments.total().correlation()
    gram, r = correlation[:, : panel.p], correlation[:, targets]
    shrinkage = shrinkage_weight(data.moments.half(0, 0) + data.moments.half(0, 1))
    own = np.where(targets < panel.p, targets, -1)
    table = panel_scores(gram, Shrunken.of(gram, shrinkage), r, own)
    row, column = found.pairs.all()
    scores = {name: values[regulators[row], column] for name, values in table.items()}
    genes = panel.genes[targets]
    scores["detection of the target"] = (data.scan.detected / data.n_obs)[genes][column]
    scores["variance of the target"] = data.moments.total().variance()[targets][column]
    return r[regulators[row], column], scores


def _methods(
    rankings: Mapping[str, Ranking],
    scored: Mapping[str, Scores],
    found: Judged,
    rng: np.random.Generator,
) -> pd.DataFrame:
    records = []
    for name, ranking in rankings.items():
        scores = scored[name]
        _, low, high = ratio_interval(ranking, found.pairs, found.row, found.column, rng)
        record = {
            "method": name,
            "kind": METHOD if name in METHODS else BASELINE,
            "aupr_ratio": scores.aupr_ratio,
            "aupr_ratio_low": low,
            "aupr_ratio_high": high,
            "aupr": scores.aupr,
            "auroc": scores.auroc,
            "epr": scores.epr,
        }
        records.append(record)
    return pd.DataFrame(records)


def _fdr(selected: Selected, found: Judged) -> pd.DataFrame:
    """What each selector finds at a nominal rate, and how much of it is no edge."""
    true = np.zeros(found.pairs.size, dtype=bool)
    true[found.positions] = True
    records = []
    for name, q in selected.items():
        for level in LEVELS:
            chosen = true[q <= level * (1 + 1e-12)]
            share, low, high = observed_fdr(chosen)
            records.append(
                {
                    "selector": name,
                    "nominal_fdr": level,
                    "pairs": int(np.isfinite(q).sum()),
                    "found": len(chosen),
                    "edges": int(chosen.sum()),
                    "observed_fdr": share,
                    "observed_fdr_low": low,
                    "observed_fdr_high": high,
                }
            )
    return pd.DataFrame(records)


def _signs(r: np.ndarray, found: Judged, null: Null) -> pd.DataFrame:
    """Do correlations have the sign of the edge?"""
    share, low, high, number = sign_consistency(found.sign, r[found.positions])
    draws = null.signs if null.is_random else np.array([])
    chance = against_null(share, draws)
    return pd.DataFrame(
        {
            "edges_with_sign": [number],
            "consistent_share": [share],
            "consistent_share_low": [low],
            "consistent_share_high": [high],
            "same_degrees": [chance["mean"]],
            "same_degrees_low": [chance["low"]],
            "same_degrees_high": [chance["high"]],
            "p": [chance["p"]],
        }
    )


def _facts(reference: Reference, found: Judged, nulls: Mapping[str, Null]) -> pd.DataFrame:
    edges = reference.first.table["edge"].to_numpy(bool)
    return pd.DataFrame(
        {
            "network": [" and ".join(one.name for one in reference.networks)],
            "class": [reference.class_words],
            "edges": [int(edges.sum())],
            "testable_edges": [found.n_edges],
            "pairs": [found.pairs.size],
            "prevalence": [found.n_edges / found.pairs.size],
            "regulators": [len(found.regulators)],
            "targets": [len(found.targets)],
            "pairs_listed": [found.listed],
            "sources": [len(reference.networks)],
            "discordant_pairs": [found.discordant],
            "undirected": [reference.first.undirected],
            "random_networks": [DRAWS],
            "edges_moved": [nulls[REWIRED].moved],
        }
    )


def _best(methods: pd.DataFrame) -> pd.Series:
    """The row of the method, no baseline, with the highest ratio."""
    rows = methods[methods["kind"] == METHOD].reset_index(drop=True)
    ratio = pd.to_numeric(rows["aupr_ratio"]).fillna(np.inf)  # an impossible number must be seen
    return rows.iloc[int(ratio.argmax())]


def _chance(tables: Tables, method: str, kind: str) -> tuple[float, float]:
    """Middle 95 % of the AUPR ratio of random networks; NaN where there are none."""
    table = tables["random_networks"]
    row = table[(table["method"] == method) & (table["metric"] == "aupr_ratio")].iloc[0]
    name = kind.replace(" ", "_")
    return _number(row[f"{name}_low"]), _number(row[f"{name}_high"])


def _number(value: object) -> float:
    """A number of a table, NaN where a saved document has null."""
    return float("nan") if value is None else float(value)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
