"""What every check says of each regulator, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infocheck.goals import regulator_verdicts

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.goals import GoalVerdict
    from infocheck.result import Result

TABLE = "regulators"
KEY = "regulator"
_BEST_FIRST = ("supported", "not_excluded", "excluded", "not_assessed")


@dataclass(frozen=True)
class Source:
    """Where a column of the joined table comes from."""

    check: str
    column: str


def join(
    results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]
) -> tuple[pd.DataFrame, dict[str, Source]]:
    """Outer join of the tables called ``regulators``, with the verdict for each.

    Returns
    -------
    table
        Columns ``regulator``, those of the checks, ``limited_by``, ``verdict``; the
        best verdicts come first.
    sources
        Check and column behind each column that a check gave.
    """
    import pandas as pd

    joined = pd.DataFrame({KEY: pd.Series(dtype=object)})
    sources: dict[str, Source] = {}
    for name, result in results.items():
        table = result.tables.get(TABLE)
        if table is None or KEY not in table.columns:
            continue
        names = _names(table, name, taken={*sources, "limited_by", "verdict"})
        sources |= {new: Source(name, old) for old, new in names.items()}
        part = table.drop_duplicates(KEY).rename(columns=names)
        joined = joined.merge(part, on=KEY, how="outer", sort=False)
    if joined.empty:
        return joined.assign(limited_by=None, verdict=None), sources
    verdicts = regulator_verdicts(results, goals)[[KEY, "limited_by", "verdict"]]
    joined = joined.merge(verdicts.drop_duplicates(KEY), on=KEY, how="left")
    joined[["limited_by", "verdict"]] = joined[["limited_by", "verdict"]].astype(object)
    joined = joined.where(joined.notna(), None)
    return _best_first(joined, sources), sources


def _names(table: pd.DataFrame, check: str, taken: set[str]) -> dict[str, str]:
    """Old → new names; a name that another check uses gets this check's in front."""
    own = [column for column in table.columns if column != KEY]
    return {column: f"{check}_{column}" if column in taken else column for column in own}


def _best_first(joined: pd.DataFrame, sources: Mapping[str, Source]) -> pd.DataFrame:
    import pandas as pd

    rank = joined["verdict"].map({v: i for i, v in enumerate(_BEST_FIRST)})
    order = pd.DataFrame({"rank": rank.fillna(len(_BEST_FIRST))})
    numeric = (pd.to_numeric(joined[column], errors="coerce") for column in sources)
    first = next((values for values in numeric if values.notna().any()), None)
    order["value"] = 0.0 if first is None else -first
    order["name"] = joined[KEY].astype(str)
    position = order.sort_values(["rank", "value", "name"], kind="stable").index
    return joined.loc[position].reset_index(drop=True)
