"""System: what a study would be made on, as a few numbers with a range and a source each.

A system comes with the package (:func:`shipped`), or is measured on a pilot
(:mod:`infocheck.planning.pilot`). :mod:`infocheck.planning.study` reads nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from infocheck.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "infocheck.profile/1"
UMIS, READS, INTENSITY = "umis", "reads", "intensity"
KINDS = (UMIS, READS, INTENSITY)
BASES = ("measured", "cited", "assumed", "given")
# An interval of a field is taken to be a 95 % one: this many standard deviations.
_TWO_SIDED = 1.959964

_PROFILES = "infocheck.planning.profiles"


@dataclass(frozen=True)
class FieldWords:
    """A field in words, and between which values it may lie.

    ``log`` says that its range is one of ratios.
    """

    title: str
    unit: str
    least: float = -math.inf
    most: float = math.inf
    log: bool = False


def _gene_fields(who: str) -> dict[str, FieldWords]:
    return {
        f"{who}_log_share": FieldWords(
            f"{who.capitalize()}s: mean log share of all counts", "natural log", -30.0, 0.0
        ),
        f"{who}_log_share_sd": FieldWords(
            f"{who.capitalize()}s: spread of the log share", "natural log", 0.0, 5.0
        ),
        f"{who}_log_cv2": FieldWords(
            f"{who.capitalize()}s: log biological CV² at the mean share", "natural log", -9.0, 6.0
        ),
        f"{who}_log_cv2_slope": FieldWords(
            f"{who.capitalize()}s: slope of log CV² on log share", "per unit", -3.0, 3.0
        ),
        f"{who}_log_cv2_sd": FieldWords(
            f"{who.capitalize()}s: spread of log CV² around the line", "natural log", 0.0, 3.0
        ),
    }


_COUNTED = {**_gene_fields("regulator"), **_gene_fields("target")}
_SHARED = {
    "icc": FieldWords("Intraclass correlation by {donor}, free of noise", "0 to 1", 0, 1, True),
    "edge_spread": FieldWords(
        "Spread of an edge's strength between {donor}s, over its mean", "ratio", 0.0, 5.0, True
    ),
    "regulator_r2": FieldWords(
        "Variance of a regulator that the others explain, free of noise", "share", 0.0, 0.99
    ),
    "regulator_correlation": FieldWords(
        "Mean squared correlation of regulators, free of noise", "0 to 1", 0.0, 1.0
    ),
}
_DROPLET = {
    "umis_at_saturation": FieldWords("UMIs per cell at saturation", "UMIs", 1.0, 1e9, True),
    "doublets_per_thousand": FieldWords(
        "Doublets per 1,000 cells of a channel", "share of barcodes", 0.0, 0.2
    ),
}
_ARRAY = {
    "regulator_reliability": FieldWords("Regulators: median reliability", "share", 0.01, 0.999),
    "target_reliability": FieldWords("Targets: median reliability", "share", 0.01, 0.999),
    "reliability_sd": FieldWords("Spread of reliability on the logit scale", "logit", 0.0, 5.0),
}
FIELDS = {
    UMIS: {**_COUNTED, **_DROPLET, **_SHARED},
    READS: {**_COUNTED, **_SHARED},
    INTENSITY: {**_ARRAY, **_SHARED},
}


@dataclass(frozen=True)
class Field:
    """A number of a system with its range and where it comes from.

    Attributes
    ----------
    low, central, high
        The range is read as a 95 % interval; equal numbers are taken as known.
    basis
        ``measured``, ``cited``, ``assumed``, or ``given`` by who asks.
    source
        Data set, paper or reason, in words.
    """

    low: float
    central: float
    high: float
    basis: str
    source: str

    def shifted(self, step: float, words: FieldWords) -> float:
        """The value that many standard deviations from the central one."""
        end = self.high if step > 0 else self.low
        if words.log and min(self.low, self.central) > 0:
            value = self.central * (end / self.central) ** (abs(step) / _TWO_SIDED)
        else:
            value = self.central + (end - self.central) * abs(step) / _TWO_SIDED
        return float(min(max(value, words.least), words.most))


@dataclass(frozen=True, kw_only=True)
class System:
    """What a study would be made on.

    Attributes
    ----------
    name, title, organism, assay
        For people.
    kind
        ``umis`` (molecules counted in cells), ``reads`` (bulk sequencing) or
        ``intensity`` (arrays: no depth can be chosen).
    donor, row
        Words for the independent unit and for what is measured of it: donor and cell,
        strain and sample.
    regulators, targets
        How many there are, for who does not say.
    fields
        The numbers; their names are those of :data:`FIELDS` for the kind.
    costs
        Default costs: ``donor``, ``cell`` (of a row) and ``read``.
    grid
        Default axes: ``donors``, ``cells`` and, unless an array, ``depth``.
    notes
        What should be known of it, in words.
    """

    name: str
    title: str
    organism: str
    assay: str
    kind: str
    donor: str
    row: str
    regulators: int
    targets: int
    fields: Mapping[str, Field]
    costs: Mapping[str, float]
    grid: Mapping[str, str]
    notes: tuple[str, ...] = ()
    pilot: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a system that is not whole, naming what is wrong."""
        if self.kind not in KINDS:
            raise ValueError(f"system {self.name}: kind must be one of {', '.join(KINDS)}")
        wanted = FIELDS[self.kind]
        if set(self.fields) != set(wanted):
            differing = sorted(set(self.fields) ^ set(wanted))
            raise ValueError(f"system {self.name}: fields do not fit: {', '.join(differing)}")
        for name, value in self.fields.items():
            words, numbers = wanted[name], (value.low, value.central, value.high)
            ordered = value.low <= value.central <= value.high
            inside = words.least <= value.low and value.high <= words.most
            if not (all(map(math.isfinite, numbers)) and ordered and inside):
                raise ValueError(f"system {self.name}: {name} {numbers} is no range that can be")
            if value.basis not in BASES or not value.source:
                raise ValueError(f"system {self.name}: {name} needs a basis and a source")

    @property
    def has_depth(self) -> bool:
        return self.kind != INTENSITY

    @property
    def words(self) -> dict[str, FieldWords]:
        """Fields in words, in order."""
        return {
            name: replace(words, title=words.title.format(donor=self.donor))
            for name, words in FIELDS[self.kind].items()
        }

    @property
    def uncertain(self) -> list[str]:
        """Fields that have a range."""
        return [
            name for name in FIELDS[self.kind] if self.fields[name].low < self.fields[name].high
        ]

    def values(self, **changed: float) -> dict[str, float]:
        """Central values, with some of them replaced."""
        return {name: self.fields[name].central for name in FIELDS[self.kind]} | changed

    def draw(self, rng: np.random.Generator, count: int) -> list[dict[str, float]]:
        """Values of all fields drawn from their ranges, independently.

        Each range is a 95 % interval: a normal distribution on either side of the
        central value, of ratios where the field is one of ratios.
        """
        steps = rng.standard_normal((count, len(FIELDS[self.kind])))
        return [
            {
                name: self.fields[name].shifted(float(step), words)
                for step, (name, words) in zip(row, FIELDS[self.kind].items(), strict=True)
            }
            for row in steps
        ]

    def table(self) -> pd.DataFrame:
        """One row a field, with range, basis and source."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "field": name,
                    "meaning": words.title,
                    "central": self.fields[name].central,
                    "central_low": self.fields[name].low,
                    "central_high": self.fields[name].high,
                    "unit": words.unit,
                    "basis": self.fields[name].basis,
                    "source": self.fields[name].source,
                }
                for name, words in self.words.items()
            ]
        )


def signal(values: Mapping[str, float], who: str) -> tuple[float, float]:
    """Mean and spread over genes of the log of signal per counted molecule.

    With share of counts p and biological CV² c a gene has the reliability
    ``expit(log(c p) + log depth)``; log c is linear in log p with normal spread, so
    ``log(c p)`` is normal over genes. For arrays it is the logit of reliability itself.

    Parameters
    ----------
    values
        Values of the fields.
    who
        ``regulator`` or ``target``.
    """
    if f"{who}_reliability" in values:
        share = values[f"{who}_reliability"]
        return math.log(share / (1 - share)), values["reliability_sd"]
    mean = values[f"{who}_log_share"] + values[f"{who}_log_cv2"]
    along = (1 + values[f"{who}_log_cv2_slope"]) * values[f"{who}_log_share_sd"]
    return mean, math.hypot(along, values[f"{who}_log_cv2_sd"])


def names() -> list[str]:
    """Names of the systems that come with the package."""
    folder = resources.files(_PROFILES)
    return sorted(
        entry.name.removesuffix(".json")
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    )


def shipped(name: str) -> System:
    """A system that comes with the package.

    Raises
    ------
    InputError
        There is none of that name; says which there are.
    """
    known = names()
    if name not in known:
        raise InputError(
            f"there is no profile {name!r}.{did_you_mean(name, known)} There are "
            f"{', '.join(known)}."
        )
    text = resources.files(_PROFILES).joinpath(f"{name}.json").read_text("utf-8")
    return from_document(json.loads(text))


def to_document(system: System) -> dict:
    """The system as plain values; numbers have at most five digits."""
    return {
        "schema": SCHEMA,
        **{
            key: getattr(system, key)
            for key in ("name", "title", "organism", "assay", "kind", "donor", "row")
        },
        "regulators": system.regulators,
        "targets": system.targets,
        "fields": {
            name: {
                **{end: float(f"{getattr(one, end):.5g}") for end in ("low", "central", "high")},
                "basis": one.basis,
                "source": one.source,
            }
            for name, one in system.fields.items()
        },
        "costs": dict(system.costs),
        "grid": dict(system.grid),
        "notes": list(system.notes),
    }


def from_document(document: Mapping) -> System:
    """The inverse of :func:`to_document`."""
    if document.get("schema") != SCHEMA:
        raise ValueError(f"a profile has the schema {SCHEMA!r}, not {document.get('schema')!r}")
    rest = {key: value for key, value in document.items() if key != "schema"}
    fields = {name: Field(**one) for name, one in rest.pop("fields").items()}
    return System(**{**rest, "fields": fields, "notes": tuple(rest["notes"])})
