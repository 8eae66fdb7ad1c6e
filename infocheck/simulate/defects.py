"""Defects that the simulators can plant, and the arguments that plant each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong with otherwise sound data.

    Attributes
    ----------
    words
        What is wrong, in words.
    linear, mechanistic
        Arguments that plant it in each core; empty where that core cannot.
    """

    words: str
    linear: Mapping[str, Any] = field(default_factory=dict)
    mechanistic: Mapping[str, Any] = field(default_factory=dict)

    def of(self, core: str) -> Mapping[str, Any]:
        """Arguments for the core of that name."""
        return {"linear": self.linear, "mechanistic": self.mechanistic}[core]


def _both(words: str, **arguments: Any) -> Defect:
    return Defect(words, arguments, arguments)


DEFECTS: Mapping[str, Defect] = {
    "shallow": _both("Most of the variance is counting noise.", depth=20.0),
    "no-network": Defect("No gene regulates another.", {"r2": 0.0}, {"strength": 0.0}),
    "few-cells": _both("Too few cells for so many regulators.", n_obs=80),
    "pseudoreplication": _both(
        "Many cells of two donors that differ.", donors=2, batches=1, donor_share=0.4
    ),
    "batch": _both("Batches differ as much as cells do.", batch_share=0.4),
    "aliased": _both("Whole batches are one condition.", condition="aliased"),
    "hidden": _both("An unrecorded factor moves all genes.", hidden_share=0.4),
    "uncoupled": Defect(
        "A regulator's mRNA says little of its activity.",
        {"coupling": 0.2},
        {"protein_half_life": 300.0},
    ),
    "confusable": _both("Regulators come in pairs that cannot be told apart.", duplicates=10),
    "constant": _both("Some genes have no counts at all.", constant_genes=50),
    "bursting": Defect("A gene's own bursts drown its regulation.", {}, {"bursts": 0.5}),
    "ineffective": Defect(
        "Perturbations that hardly perturb.",
        {},
        {"perturbations": 10, "knockdown": 0.2, "escape": 0.5},
    ),
    "sparse-times": Defect("Time points that miss the response.", {}, {"times": (0.0, 240.0)}),
}
