"""Scoring predicted edges against a network that the user brings."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infocheck import networks
from infocheck.errors import InputError
from infocheck.networks import Judged, Predictions, Reference
from infocheck.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.stats.evaluation import Null

SCHEMA = "infocheck.evaluate/1"
TOP, DRAWS = 100_000, 200
KEYS = ("aupr", "aupr_ratio", "auroc", "epr", "prevalence", "n_pairs", "n_edges")
_TITLES = {"aupr": "AUPR", "aupr_ratio": "AUPR ratio", "auroc": "AUROC", "epr": "EPR"}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well predicted edges agree with a network.

    Attributes
    ----------
    aupr, auroc
        Areas under the precision-recall and the receiver operating curve, in [0, 1].
    aupr_ratio
        AUPR over prevalence: 1 is guessing.
    epr
        Early precision ratio: precision among the first ``n_edges`` pairs over prevalence.
    prevalence
        Share of edges among the pairs, the AUPR of guessing.
    n_pairs, n_edges
        Pairs that can be judged, and edges among them.
    nulls
        For each metric and each kind of random network ``observed``, ``mean``, ``low`` and
        ``high`` (the middle 95 %) and ``p``.
    signs
        Share of found edges with the sign of the network, or None where signs are unknown.
    network_class
        Kind of evidence behind the network, or None where it was not stated.
    predictions, network
        What was read, in numbers.
    notes
        Everything that was dropped, and what to keep in mind.
    provenance
        Version, command, seed and options.
    """

    aupr: float
    aupr_ratio: float
    auroc: float
    epr: float
    prevalence: float
    n_pairs: int
    n_edges: int
    nulls: pd.DataFrame
    signs: Mapping[str, float] | None
    network_class: str | None
    predictions: Mapping[str, object]
    network: Mapping[str, object]
    notes: tuple[str, ...]
    provenance: Mapping[str, object] = field(default_factory=dict)

    @property
    def summary(self) -> pd.DataFrame:
        """One row a metric, with the interval and p of each null beside it."""
        return networks.beside(self.nulls)

    def to_document(self) -> dict:
        """The evaluation as plain values: null, never NaN."""
        from infocheck.report.document import plain, records

        return {
            "schema": SCHEMA,
            **{key: plain(getattr(self, key)) for key in KEYS},
            "network_class": self.network_class,
            "nulls": records(self.nulls),
            "signs": None if self.signs is None else plain(dict(self.signs)),
            "predictions": plain(dict(self.predictions)),
            "network": plain(dict(self.network)),
            "notes": list(self.notes),
            "provenance": plain(dict(self.provenance)),
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """The JSON document as text; also written to ``path`` where one is given."""
        from infocheck.report.document import dumps

        text = dumps(self.to_document())
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @property
    def against(self) -> str:
        """What was scored against, with its class."""
        pairs = "as listed" if self.network["listed"] else "regulators crossed with targets"
        return (
            f"{self.network['name']}: {self.n_edges:,} edges among {self.n_pairs:,} pairs "
            f"({pairs}), prevalence {self.prevalence:.4f}; class {class_words(self.network_class)}"
        )

    def lines(self) -> list[str]:
        """The result in words, a line each."""
        given = self.predictions
        found = [
            f"Network    {self.against}",
            f"Scored     {given['judged']:,} of the first {given['used']:,} predicted pairs can be "
            f"judged, {given['edges']:,} of them are edges",
        ]
        for metric, title in _TITLES.items():
            shown = "; ".join(self._chance(metric))
            value = f"{title:<11}{getattr(self, metric):.4f}"
            found.append(f"{value}  by chance: {shown}" if shown else value)
        if self.signs:
            found.append(
                f"Signs      {self.signs['share']:.1%} of {self.signs['n']:,} found edges with "
                f"known sign agree ({self.signs['low']:.1%}–{self.signs['high']:.1%})"
            )
        return found + [f"Note       {note}" for note in self.notes]

    def _repr_html_(self) -> str:
        from infocheck.report import notebook, words

        table = [
            (title, f"{getattr(self, metric):.4f}", "; ".join(self._chance(metric)) or "–")
            for metric, title in _TITLES.items()
        ]
        body = [
            f"<p><b>{notebook.text(self.against)}</b></p>",
            notebook.table("Agreement with the network", ("Metric", "Value", "By chance"), table),
            *(f"<p>{notebook.text(note)}</p>" for note in self.notes),
        ]
        return notebook.framed(body, words.EXPLAINS)

    def _chance(self, metric: str) -> list[str]:
        rows = self.nulls[self.nulls["metric"] == metric].to_dict("records")
        places = 4 if metric == "aupr" else 3
        return [
            f"{row['null']} {row['low']:.{places}f}–{row['high']:.{places}f} (p {row['p']:.3f})"
            for row in rows
            if np.isfinite(row["mean"])
        ]


def class_words(network_class: str | None) -> str:
    """The class of a network as it is printed, with what it means."""
    if network_class is None:
        return networks.NOT_STATED
    meaning = networks.CLASSES[network_class]
    return network_class if meaning == network_class else f"{network_class} ({meaning})"


def evaluate(
    predictions: str | Path | pd.DataFrame,
    network: str | Path | pd.DataFrame,
    *,
    network_class: str | None = None,
    second: str | Path | pd.DataFrame | None = None,
    top: int = TOP,
    nulls: int = DRAWS,
    absolute: bool = False,
    seed: int = 0,
    command: str | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Evaluation:
    """Score predicted edges against a network, by the rule of the DREAM5 challenge.

    Predicted pairs that the network does not judge are neither right nor wrong. Pairs that
    were not predicted follow in random order, of which the expectation is taken
    (Marbach et al. 2012).

    Parameters
    ----------
    predictions
        Regulator, target, score: a csv or tsv file (also gz) or a table. The highest score is
        best; equal scores keep the order of their rows.
    network
        Regulator, target and, if given, a label (0 or 1: the pairs that can be judged) or a
        sign. With edges alone, all regulators are crossed with all targets.
    network_class
        Kind of evidence behind it, a key of ``infocheck.networks.CLASSES``.
    second
        A second network: positives must be in both, negatives in neither, other pairs are
        left out.
    top
        How many predictions count.
    nulls
        Random networks of each kind.
    absolute
        Rank by the size of the score.
    seed
        Of the random networks.
    command
        The command to print in the provenance.
    progress
        Called as ``progress(step, done, total)``.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        A list cannot be read or is unsuitable, or the two share no pair.
    ValueError
        An unknown class, or a number that makes no sense.

    Notes
    -----
    Misleads where the class of the network is forgotten: binding is not regulation, and a
    list of known edges counts what nobody looked for as absent.
    """
    from infocheck.stats import evaluation as stats

    if top < 1 or nulls < 0:
        raise ValueError("top must be at least 1 and nulls at least 0")
    start = clock.perf_counter()
    progress("Reading lists", 0, 0)
    reference = networks.read_reference(network, second, network_class)
    found = networks.judged(reference)
    _require_both(reference, found)
    predicted = networks.read_predictions(predictions, absolute=absolute)
    table = predicted.table.head(top)
    place = networks.codes_of(table, found)
    inside = place >= 0
    if not inside.any():
        raise InputError(_no_overlap(predicted, reference, found))
    ranking = stats.Ranking.of_order(place[inside], found.pairs.size)
    positions = found.positions
    scores = ranking.score(positions)
    drawn = stats.null_networks(
        {"": ranking},
        found.pairs,
        found.row,
        found.column,
        nulls,
        np.random.default_rng(seed),
        tell=lambda done, total: progress("Random networks", done, total),
    )
    return Evaluation(
        aupr=scores.aupr,
        aupr_ratio=scores.aupr_ratio,
        auroc=scores.auroc,
        epr=scores.epr,
        prevalence=scores.prevalence,
        n_pairs=found.pairs.size,
        n_edges=found.n_edges,
        nulls=networks.null_table({"": scores}, drawn).drop(columns="method"),
        signs=_signs(table, place, found),
        network_class=network_class,
        predictions={
            "name": predicted.name,
            "pairs": len(predicted.table),
            "used": len(table),
            "judged": int(inside.sum()),
            "edges": int(np.isin(place[inside], positions).sum()),
        },
        network={
            "name": " and ".join(one.name for one in reference.networks),
            "regulators": len(found.regulators),
            "targets": len(found.targets),
            "listed": found.listed,
            "undirected": reference.first.undirected,
            "signed_edges": int((found.sign != 0).sum()),
            "discordant_pairs": found.discordant,
        },
        notes=(
            *reference.notes,
            *predicted.notes,
            *_notes(predicted, table, place, found, drawn),
            reference.proof,
        ),
        provenance={
            "version": __version__,
            "command": command or "infocheck.evaluate(...)",
            "seed": seed,
            "top": top,
            "nulls": nulls,
            "absolute": absolute,
            "seconds": clock.perf_counter() - start,
        },
    )


def _require_both(reference: Reference, found: Judged) -> None:
    """There must be edges, and pairs that are none."""
    names = " and ".join(one.name for one in reference.networks)
    if not found.n_edges:
        first, *second = reference.networks
        hint = ""
        if second:
            clause = networks.difference(first.table["target"], second[0].table["target"])
            hint = f": {clause}" if clause else ""
        raise InputError(f"{names} share no edge{hint}; give sources that overlap.")
    if found.n_edges == found.pairs.size:
        raise InputError(
            f"{names}: every pair of a regulator and a target is an edge, so nothing can be told "
            "apart; add the pairs that are none, with the label 0."
        )


def _no_overlap(predicted: Predictions, reference: Reference, found: Judged) -> str:
    table = predicted.table
    names = " and ".join(one.name for one in reference.networks)
    text = f"{predicted.name} and {names} have no pair of regulator and target in common"
    swapped = table.rename(columns={"regulator": "target", "target": "regulator"})
    if (networks.codes_of(swapped, found) >= 0).any():
        return f"{text}, but they have when the first two columns of one are swapped."
    clause = networks.difference(
        [*table["regulator"], *table["target"]], [*found.regulators, *found.targets]
    )
    return f"{text}: {clause}; use the same names." if clause else f"{text}; use the same names."


def _signs(table: pd.DataFrame, place: np.ndarray, found: Judged) -> dict[str, float] | None:
    """Agreement of signs over edges that were predicted, where both have signs."""
    from infocheck.stats.evaluation import sign_consistency

    positions = found.positions
    order = np.argsort(positions)
    at = np.searchsorted(positions, place, sorter=order)
    at = order[np.minimum(at, len(order) - 1)]
    hit = (place >= 0) & (positions[at] == place)
    predicted = table["sign"].to_numpy(float)[hit]
    share, low, high, n = sign_consistency(found.sign[at[hit]], predicted)
    return {"n": n, "share": share, "low": low, "high": high} if n else None


def _notes(
    predicted: Predictions,
    table: pd.DataFrame,
    place: np.ndarray,
    found: Judged,
    drawn: Mapping[str, Null],
) -> list[str]:
    notes = []
    score = table["score"].to_numpy()[place >= 0]
    tied = int(table["score"][place >= 0].duplicated(keep=False).sum())
    if tied:
        notes.append(
            "Judged pairs that share their score with another rank in the order of the file: "
            f"{tied:,} of {len(score):,}."
        )
    swapped = table.rename(columns={"regulator": "target", "target": "regulator"})
    back = networks.codes_of(swapped, found)
    edges = found.positions
    only_back = np.setdiff1d(edges[np.isin(edges, back)], place)
    both = int(np.isin(edges, place).sum())
    if len(only_back) > both:
        notes.append(
            f"Edges that were predicted in the other direction alone: {len(only_back):,}, in "
            f"theirs: {both:,}. A prediction without direction must list both."
        )
    clause = networks.difference(
        [*table["regulator"], *table["target"]], [*found.regulators, *found.targets]
    )
    if "upper and lower" in clause:
        notes.append(f"Some {clause}, and were taken for different genes.")
    if found.discordant:
        notes.append(f"Pairs on which the two sources disagree, left out: {found.discordant:,}.")
    for kind, null in drawn.items():
        if len(null.signs) and not null.is_random:
            notes.append(f"There are no random networks of {kind}: the pairs leave no room.")
    return notes


def schema() -> dict:
    """The JSON Schema of the document."""
    text = resources.files("infocheck.report").joinpath("evaluate.schema.json").read_text("utf-8")
    return json.loads(text)
