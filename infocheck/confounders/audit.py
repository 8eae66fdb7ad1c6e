"""Design audit, before any fit: which effects can these samples separate from which factors?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.confounders.factors import FACTORS, NUISANCE
from infocheck.stats.design import dependencies, relation, separate, usable_beside

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.roles import Role

EFFECTS = ("condition", "perturbation", "time")
# Factors of more levels are no design that a table could show.
MAX_LEVELS = 60
# Most differences that are listed; those that cannot be estimated come first.
MAX_CONTRASTS = 200
_OTHERS = "all others"
_RELATIONS = {
    "same": "one level for one",
    "first in second": "the first is nested in the second",
    "second in first": "the second is nested in the first",
    "crossed": "fully crossed",
    "connected": "partly crossed, every difference can be estimated",
    "separate": "falls into parts that share nothing",
}


def of(data: Dataset) -> dict[str, pd.DataFrame]:
    """What the design can separate, from labels alone; empty where there is nothing to compare.

    Tables ``pairs`` and ``contingency`` (each pair of roles, in samples and observations),
    ``dependencies`` (levels that are combinations of others), ``design`` (usable share and
    variance inflation of each level of an effect), ``contrasts`` (which differences can be
    estimated, and how) and ``aliased`` (those that cannot, in words).
    """
    roles = {
        name: data.roles[name]
        for name in dict.fromkeys((*FACTORS, *EFFECTS))
        if name in data.roles and not data.roles[name].is_series
    }
    roles = {name: role for name, role in roles.items() if role.n_levels <= MAX_LEVELS}
    tables = _pairs(data, roles) if len(roles) > 1 else {}
    return tables | _effects(data, {name: roles[name] for name in EFFECTS if name in roles}, roles)


def _samples(data: Dataset, roles: dict[str, Role]) -> tuple[np.ndarray, np.ndarray]:
    """Distinct combinations of labels, shape (units, roles), and their observations.

    Rows with a missing label are left out.
    """
    codes = np.stack([role.codes for role in roles.values()], axis=1)
    codes = codes[(codes >= 0).all(axis=1)]
    if not len(codes):
        return codes, np.empty(0)
    units, counts = np.unique(codes, axis=0, return_counts=True)
    return units, counts.astype(float)


# --- pairs of roles -----------------------------------------------------------------


def _pairs(data: Dataset, roles: dict[str, Role]) -> dict[str, pd.DataFrame]:
    pairs, cells = [], []
    for a, b in itertools.combinations(roles, 2):
        samples, observations = _contingency(data, a, b)
        seen = observations > 0
        rows, columns = seen.any(axis=1), seen.any(axis=0)
        if not rows.any():
            continue
        used = observations[np.ix_(rows, columns)]
        pairs.append(
            {
                "first": a,
                "second": b,
                "relation": _RELATIONS[relation(used > 0)],
                "combinations": int((used > 0).sum()),
                "missing_combinations": int((used == 0).sum()),
                "fewest_samples": int(samples[seen].min()),
                "fewest_observations": int(used[used > 0].min()),
            }
        )
        cells += [
            {
                "first": a,
                "second": b,
                "level_first": roles[a].levels[i],
                "level_second": roles[b].levels[j],
                "samples": int(samples[i, j]),
                "observations": int(observations[i, j]),
            }
            for i, j in np.argwhere(np.outer(rows, columns))
        ]
    if not pairs:
        return {}
    return {
        "pairs": pd.DataFrame(pairs),
        "contingency": pd.DataFrame(cells),
        "dependencies": _dependencies(data, roles),
    }


def _contingency(data: Dataset, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples and observations of each combination, shape (levels of a, levels of b)."""
    names = dict.fromkeys([a, b, *(["donor"] if "donor" in data.roles else [])])
    units, counts = _samples(data, {name: data.roles[name] for name in names})
    shape = (data.roles[a].n_levels, data.roles[b].n_levels)
    samples, observations = np.zeros(shape), np.zeros(shape)
    if len(units):
        np.add.at(samples, (units[:, 0], units[:, 1]), 1)
        np.add.at(observations, (units[:, 0], units[:, 1]), counts)
    return samples, observations


def _dependencies(data: Dataset, roles: dict[str, Role]) -> pd.DataFrame:
    """Levels whose column is a combination of columns stated before them.

    The first level of each factor is its reference. Effects are stated before donors, so
    that donors within a condition are what is named, as in a replicated study they are.
    """
    order = sorted(roles, key=lambda name: name in ("donor",))
    units, _ = _samples(data, {name: roles[name] for name in order})
    labels, columns = [], []
    for position, name in enumerate(order):
        for level in np.unique(units[:, position])[1:] if len(units) else ():
            labels.append((name, roles[name].levels[level]))
            columns.append((units[:, position] == level).astype(float))
    records = []
    if columns:
        for k, used in dependencies(np.column_stack(columns)).items():
            terms = [_term(weight, *labels[j]) for j, weight in used.items()]
            right = " ".join(terms).removeprefix("+ ") or "a constant"
            factor, level = labels[k]
            records.append(
                {
                    "factor": factor,
                    "level": level,
                    "equals": right,
                    "others": ", ".join(dict.fromkeys(labels[j][0] for j in used)),
                }
            )
    return pd.DataFrame(records, columns=["factor", "level", "equals", "others"])


def _term(weight: float, factor: str, level: str) -> str:
    size = "" if abs(abs(weight) - 1) < 1e-6 else f"{abs(weight):.3g} × "
    return f"{'−' if weight < 0 else '+'} {size}{factor}[{level}]"


# --- effects ------------------------------------------------------------------------


def _effects(
    data: Dataset, effects: dict[str, Role], roles: dict[str, Role]
) -> dict[str, pd.DataFrame]:
    usable, aliased, contrasts = [], [], []
    for name, effect in effects.items():
        apart: dict[str, set[tuple[int, int]]] = {}
        for nuisance in NUISANCE:
            if nuisance not in data.roles:
                continue
            codes, weight = _units(data, name, nuisance)
            separation = separate(codes[:, 0], codes[:, 1], weight, effect.n_levels)
            usable += [
                _usable(name, nuisance, level, share)
                for level, share in zip(effect.levels, separation.usable, strict=True)
            ]
            pairs = separation.aliased
            if nuisance == "donor":
                pairs = [pair for pair in pairs if _rests_on_one(codes, pair)]
            apart[nuisance] = set(pairs)
            aliased += [
                {
                    "effect": name,
                    "nuisance": nuisance,
                    "level_a": effect.levels[a],
                    "level_b": effect.levels[b],
                    "explanation": _explain(name, effect, a, b, nuisance, data, codes),
                }
                for a, b in pairs
            ]
        if apart:
            usable += _beside_all(name, effect, roles, data)
            contrasts += _contrasts(name, effect, apart, data)
    if not usable:
        return {}
    columns = ["effect", "nuisance", "level_a", "level_b", "explanation"]
    listed = pd.DataFrame(contrasts).sort_values("can_be_estimated", kind="stable")
    return {
        "design": pd.DataFrame(usable),
        "contrasts": listed.head(MAX_CONTRASTS).reset_index(drop=True),
        "aliased": pd.DataFrame(aliased, columns=columns),
    }


def _usable(effect: str, nuisance: str, level: str, share: float) -> dict[str, object]:
    inflation = 1 / share if share > 1e-9 else np.inf
    return {
        "effect": effect,
        "nuisance": nuisance,
        "level": level,
        "usable": share,
        "vif": inflation,
    }


def _beside_all(
    name: str, effect: Role, roles: dict[str, Role], data: Dataset
) -> list[dict[str, object]]:
    """Usable share of each level beside all other factors but donors, which may be nested."""
    others = [other for other in roles if other not in (name, "donor")]
    if len(others) < 2:
        return []
    chosen = {each: roles[each] for each in (name, *others)}
    if "donor" in roles:
        chosen["donor"] = roles["donor"]
    units, counts = _samples(data, chosen)
    if not len(units):
        return []
    weight = np.ones(len(units)) if "donor" in roles else counts
    columns = np.hstack([np.eye(roles[o].n_levels)[units[:, 1 + i]] for i, o in enumerate(others)])
    return [
        _usable(name, _OTHERS, label, usable_beside((units[:, 0] == k) * 1.0, columns, weight))
        for k, label in enumerate(effect.levels)
    ]


def _contrasts(
    name: str, effect: Role, apart: dict[str, set[tuple[int, int]]], data: Dataset
) -> list[dict[str, object]]:
    """Every difference between two levels, or from the control where one is named."""
    pairs = list(itertools.combinations(range(effect.n_levels), 2))
    if effect.control is not None:
        control = effect.levels.index(effect.control)
        pairs = [pair for pair in pairs if control in pair]
    donors = data.roles.get("donor")
    units = _units(data, name, "donor")[0] if donors is not None else None
    batches = _units(data, name, "batch")[0] if "batch" in data.roles else None
    records = []
    for a, b in pairs:
        record = {"effect": name, "level_a": effect.levels[a], "level_b": effect.levels[b]}
        record["can_be_estimated"] = not any((a, b) in found for found in apart.values())
        if batches is not None:
            record["beside_batch"] = _beside(batches, a, b, (a, b) in apart["batch"])
        if units is not None:
            both = [set(units[units[:, 0] == level, 1]) for level in (a, b)]
            record |= {
                "donors_a": len(both[0]),
                "donors_b": len(both[1]),
                "donors_in_both": len(both[0] & both[1]),
            }
        records.append(record)
    return records


def _beside(units: np.ndarray, a: int, b: int, aliased: bool) -> str:
    if aliased:
        return "no"
    shared = set(units[units[:, 0] == a, 1]) & set(units[units[:, 0] == b, 1])
    return f"within {len(shared)} shared" if shared else "through other levels"


def _units(data: Dataset, effect: str, nuisance: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct samples (effect, nuisance and, if labelled, donor) and their weights.

    With donors every sample counts once; without, samples count by their cells.
    """
    donors = "donor" in data.roles
    names = dict.fromkeys([effect, nuisance, *(["donor"] if donors else [])])
    codes = np.stack([data.roles[name].codes for name in names], axis=1)
    codes = codes[(codes >= 0).all(axis=1)]
    units, counts = np.unique(codes, axis=0, return_counts=True)
    return units[:, :2], np.ones(len(units)) if donors else counts.astype(float)


def _rests_on_one(codes: np.ndarray, pair: tuple[int, int]) -> bool:
    """Has one of the levels a single donor? Several donors within a level are replicates."""
    return min(len(np.unique(codes[codes[:, 0] == level, 1])) for level in pair) < 2


def _explain(
    name: str, effect: Role, a: int, b: int, nuisance: str, data: Dataset, codes: np.ndarray
) -> str:
    """The alias in the names of factors and levels."""
    other = data.roles[nuisance]
    pair = f"{effect.levels[a]!r} and {effect.levels[b]!r}"
    effect_name = name.capitalize()
    if effect.column == other.column:
        return (
            f"{effect_name} is {nuisance} (both are column {effect.column!r}): "
            f"{pair} share no {nuisance}."
        )
    where = {}
    for level in (a, b):
        found = np.unique(codes[codes[:, 0] == level, 1])
        names = [repr(other.levels[i]) for i in found[:3]]
        where[level] = ", ".join(names) + (" ..." if len(found) > 3 else "")
    through = {
        "batch": "directly or through other levels",
        "donor": "and one of them rests on a single donor",
    }
    return (
        f"{effect_name} {pair} share no {nuisance}, {through[nuisance]}: "
        f"{effect.levels[a]!r} is in {other.column} {where[a]}, {effect.levels[b]!r} in {where[b]}."
    )
