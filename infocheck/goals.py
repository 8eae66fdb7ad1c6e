"""From verdicts of checks to verdicts for what people want to do.

The lowest stage on a goal's path decides; nothing is averaged. A goal is
*excluded* when a necessary condition fails, *supported* when every condition
holds and independent data agree, and otherwise *not excluded*, which is no pass.
Reads verdicts and tables, never the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from infocheck import lift, thresholds
from infocheck.result import Answer, Result, Stage, Status, Verdict, findings

if TYPE_CHECKING:
    import pandas as pd

NETWORK_PATH = (
    Stage.MEASUREMENT,
    Stage.SAMPLING,
    Stage.PREDICTABILITY,
    Stage.SPECIFICITY,
    Stage.CONFOUNDING,
)

# Most limiting first. What could not be assessed hides no known weak link, so a
# measured borderline outranks it; it still keeps a goal from being supported.
_SEVERITY = (
    Status.LIMITING,
    Status.ERROR,
    Status.BORDERLINE,
    Status.NOT_ASSESSED,
    Status.ENOUGH,
)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Something people want to do with the data."""

    key: str
    title: str
    subtitle: str
    path: tuple[Stage, ...] = NETWORK_PATH
    # Roles of which one must be labelled, and the sentence when none is.
    inputs: tuple[str, ...] = ()
    levels: int = 1
    absent: str = ""
    is_network: bool = True


GOALS = (
    Goal(
        key="modules",
        title="Gene modules",
        subtitle="groups that vary together",
        path=(Stage.MEASUREMENT, Stage.SAMPLING),
        is_network=False,
    ),
    Goal(key="confident_edges", title="High-confidence edges", subtitle="at FDR 10%"),
    Goal(key="regulator_targets", title="Targets of one regulator", subtitle="one factor in mind"),
    Goal(key="whole_network", title="Whole network", subtitle="every regulator, every target"),
    Goal(
        key="edge_direction",
        title="Edge direction",
        subtitle="between two regulators",
        inputs=("perturbation", "time"),
        absent="Nothing breaks the symmetry between two correlated genes: no perturbation, "
        "time course or genotype is labelled.",
    ),
    Goal(
        key="perturbation_response",
        title="Perturbation response",
        subtitle="of unseen perturbations",
        path=(*NETWORK_PATH, Stage.PROXY),
        inputs=("perturbation",),
        levels=2,
        absent="There are no two labelled perturbations: none to learn from and another to "
        "test on.",
    ),
)

# Only these need contrasts between conditions, so only these fall with an aliased one.
_NEED_CONTRASTS = frozenset({"edge_direction", "perturbation_response"})

# These are supported only by a selector whose false discovery rate holds on these regulators.
_CALIBRATED = frozenset({"confident_edges", "regulator_targets"})

_SUPPORTED = {
    "modules": "Halves of the data that share no donor agree on them. Modules are groups of "
    "genes that vary together, not regulation.",
    **dict.fromkeys(
        _CALIBRATED,
        "A selector keeps its nominal false discovery rate on simulated targets of these "
        "regulators and finds enough real ones. A hidden factor could still make most of them "
        "false: no test on the same data sees it.",
    ),
    "edge_direction": "Perturbed regulators move other genes, which tells cause from effect for "
    "them. Which targets are direct it does not tell.",
    "perturbation_response": "Held-out perturbations respond in ways of their own that replicates "
    "confirm, so a model can do better than their mean. Whether one does is for it to show.",
}

# What the upper bound ranks, for the goals that a ranking of edges measures. Modules are
# no edges, and a bound for edges without direction says nothing of direction or response.
BOUNDED = {
    "confident_edges": "all edges",
    "regulator_targets": "targets of one regulator",
    "whole_network": "all edges",
}


@dataclass(frozen=True, kw_only=True)
class StageState:
    """Status of one link of the chain and the result that set it."""

    stage: Stage
    status: Status
    result: Result | None = None

    @property
    def multiple(self) -> float | None:
        return self.result.multiple_of_need if self.result else None

    @property
    def reason(self) -> str:
        if self.result is None:
            return "This version of infocheck has no check for this stage yet."
        return self.result.verdict.reason


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One-sided upper bound in normalised AUPR: 0 is guessing, 1 is perfect.

    ``panel`` are the methods that it holds for.
    """

    value: float
    unit: str
    panel: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GoalVerdict:
    """The answer for one goal.

    ``path`` maps each stage to its status for this goal, or None where the goal
    does not need it.
    """

    goal: Goal
    verdict: Answer
    limiting_stage: Stage | None
    reason: str
    lift: str | None = None
    at_best: Bound | None = None
    path: Mapping[Stage, Status | None] = field(default_factory=dict)
    # Of the regulators, how many this goal is not excluded for, and how many there are.
    regulators: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        return self.goal.key


def stage_states(results: Mapping[str, Result]) -> dict[Stage, StageState]:
    """The chain: each stage with the lowest status among the checks that gate it."""
    return {stage: _stage_state(stage, results.values()) for stage in Stage}


def decide(
    results: Mapping[str, Result], *, n_obs: int, role_levels: Mapping[str, int]
) -> dict[str, GoalVerdict]:
    """A verdict for every goal, in the order of the contract.

    Parameters
    ----------
    results
        Results by check name.
    n_obs
        Number of observations.
    role_levels
        Levels of each labelled role; for perturbations without the control.
    """
    states = stage_states(results)
    bounds = upper_bounds(results)
    return {
        goal.key: replace(
            _decide(goal, states, results, n_obs=n_obs, role_levels=role_levels),
            at_best=bounds.get(goal.key),
        )
        for goal in GOALS
    }


def upper_bounds(results: Mapping[str, Result]) -> dict[str, Bound]:
    """What each goal could reach at best, from the tables of the check ``power``.

    The upper end of the best method. Excluded goals keep their bound: it says what the
    tested methods could do, not that the data pass.
    """
    result = results.get("power")
    if result is None or result.verdict.status is Status.ERROR or "bound" not in result.tables:
        return {}
    table = result.tables["bound"]
    panel = tuple(dict.fromkeys(table["method"].astype(str)))
    ends = table.astype({"high": float}).groupby("edges")["high"].max()
    values = {key: float(ends.get(edges, math.nan)) for key, edges in BOUNDED.items()}
    return {
        key: Bound(value=value, unit=f"normalised AUPR, {BOUNDED[key]}", panel=panel)
        for key, value in values.items()
        if math.isfinite(value)
    }


def _stage_state(stage: Stage, results: Iterable[Result]) -> StageState:
    gates = [r for r in results if r.stage is stage and r.check.gate]
    if not gates:
        return StageState(stage=stage, status=Status.NOT_ASSESSED)
    if stage is Stage.PROXY:
        # Protein and perturbations are two ways to one answer: either is enough to assess it.
        gates = [result for result in gates if _speaks(result)] or gates
        assessed = [r for r in gates if r.verdict.status is not Status.NOT_ASSESSED]
        gates = assessed or gates

    def key(result: Result) -> tuple:
        severity = _SEVERITY.index(result.verdict.status)
        # Of equals the check that has the name of the stage speaks for it.
        return severity, _or_one(result), result.name != stage.value

    lowest = min(gates, key=key)
    return StageState(stage=stage, status=lowest.verdict.status, result=lowest)


def _speaks(result: Result) -> bool:
    """A screen that moved no regulator says nothing of regulators."""
    if result.name != "perturbation" or "summary" not in result.tables:
        return True
    return bool(result.tables["summary"]["regulators_moved"].iloc[0] > 0)


def _or_one(result: Result) -> float:
    multiple = result.multiple_of_need
    return 1.0 if multiple is None else multiple


def _decide(
    goal: Goal,
    states: Mapping[Stage, StageState],
    results: Mapping[str, Result],
    *,
    n_obs: int,
    role_levels: Mapping[str, int],
) -> GoalVerdict:
    links = {stage: _link(goal, stage, states[stage], results) for stage in goal.path}
    path = {stage: links[stage].status if stage in links else None for stage in Stage}

    if goal.is_network and n_obs < thresholds.MIN_OBSERVATIONS_SAMPLING:
        reason = (
            f"{n_obs} observations cannot be split into halves that agree or disagree; at least "
            f"{thresholds.MIN_OBSERVATIONS_SAMPLING} are needed before a network can be judged."
        )
        return GoalVerdict(
            goal=goal,
            verdict=Answer.EXCLUDED,
            limiting_stage=Stage.SAMPLING,
            reason=reason,
            lift=lift.sentence(Stage.SAMPLING, results),
            path=path,
        )
    if goal.inputs and not any(role_levels.get(r, 0) >= goal.levels for r in goal.inputs):
        return GoalVerdict(
            goal=goal,
            verdict=Answer.EXCLUDED,
            limiting_stage=Stage.CONFOUNDING,
            reason=goal.absent,
            lift=f"{lift.PERTURB} {lift.NOT_FORECAST}",
            path={**path, Stage.CONFOUNDING: Status.LIMITING},
        )

    weakest = min(links.values(), key=_weakness)
    readable = _readable(results) if goal.key == "regulator_targets" else None
    if readable and readable[0] == 0 and weakest.status is not Status.LIMITING:
        return GoalVerdict(
            goal=goal,
            verdict=Answer.EXCLUDED,
            limiting_stage=Stage.MEASUREMENT,
            reason=f"None of {readable[1]} regulators is measured well enough to be a predictor.",
            lift=lift.sentence(Stage.MEASUREMENT, results),
            path={**path, Stage.MEASUREMENT: Status.LIMITING},
            regulators=readable,
        )

    statuses = {link.status for link in links.values()}
    supported = statuses == {Status.ENOUGH} and _independently_shown(goal, states, results)
    if Status.LIMITING in statuses:
        verdict, readable = Answer.EXCLUDED, readable and (0, readable[1])
    elif Status.ERROR in statuses or statuses == {Status.NOT_ASSESSED}:
        verdict = Answer.NOT_ASSESSED
    elif supported:
        verdict = Answer.SUPPORTED
    else:
        verdict = Answer.NOT_EXCLUDED
    return GoalVerdict(
        goal=goal,
        verdict=verdict,
        limiting_stage=None if supported else weakest.stage,
        reason=_reason(goal, weakest, verdict, readable),
        lift=None if supported else _lift(weakest, results),
        path=path,
        regulators=readable,
    )


@dataclass(frozen=True)
class _Link:
    """A stage as one goal sees it."""

    stage: Stage
    status: Status
    reason: str
    multiple: float | None
    check: str = ""


def _link(goal: Goal, stage: Stage, state: StageState, results: Mapping[str, Result]) -> _Link:
    if goal.key == "modules" and stage is Stage.SAMPLING:
        verdict = modules_sampling(results)
        multiple = verdict.estimate / verdict.need if verdict.need else None
        return _Link(stage, verdict.status, verdict.reason, multiple)
    if goal.key == "perturbation_response" and stage is Stage.PROXY:
        verdict = held_out(results)
        return _Link(stage, verdict.status, verdict.reason, None, "response")
    status = state.status
    aliased = stage is Stage.CONFOUNDING and status is Status.LIMITING
    if aliased and goal.key not in _NEED_CONTRASTS:
        status = Status.BORDERLINE
    check = state.result.name if state.result else ""
    return _Link(stage, status, state.reason, state.multiple, check)


def modules_sampling(results: Mapping[str, Result]) -> Verdict:
    """Sampling as modules need it: agreement of plain correlations between halves."""
    result = results.get("stability")
    if result is None or "summary" not in result.tables:
        status = result.verdict.status if result else Status.NOT_ASSESSED
        reason = result.verdict.reason if result else "Stability was not assessed."
        return Verdict(status=status, reason=reason)
    row = result.tables["summary"].set_index("statistic").loc["stab_c"]
    verdict = Verdict.against(
        estimate=row["estimate"],
        low=row["low"],
        high=row["high"],
        need=thresholds.MODULES_NEED,
        floor=thresholds.MODULES_FLOOR,
        possible=(-1.0, 1.0),
        unit="rank agreement of correlations",
        reason="Two halves of the data agree on plain correlations at {estimate:.2f} "
        "({low:.2f}–{high:.2f}); {need:.2f} is needed (a convention, not validated).",
    )
    cause = findings(result.tables.get("dependence"))
    if verdict.status is not Status.ENOUGH or not cause:
        return verdict
    said = f" No more than borderline, because {cause}: halves agree on that noise too."
    return replace(verdict, status=Status.BORDERLINE, reason=verdict.reason + said)


def held_out(results: Mapping[str, Result]) -> Verdict:
    """The last link for perturbation response: can held-out ones be told from their mean?

    Limiting unless the whole interval of what is left to gain over that mean lies above 0. At
    most borderline without controls: what does nothing then differs from the others all the same.
    """
    result = results.get("response")
    if result is None:
        reason = "Whether perturbations can be predicted better than by their mean was not judged."
        return Verdict(status=Status.NOT_ASSESSED, reason=reason)
    verdict = result.verdict
    if verdict.status in (Status.NOT_ASSESSED, Status.ERROR) or "summary" not in result.tables:
        return verdict
    row = result.tables["summary"].iloc[0]
    if row["difference_low"] is None or not row["difference_low"] > 0:
        return replace(verdict, status=Status.LIMITING)
    if row["compared"] == "control":
        return replace(verdict, status=Status.ENOUGH)
    said = " No more than borderline without controls."
    return replace(verdict, status=Status.BORDERLINE, reason=verdict.reason + said)


def _weakness(link: _Link) -> tuple[int, float, int]:
    multiple = 1.0 if link.multiple is None else link.multiple
    return _SEVERITY.index(link.status), multiple, list(Stage).index(link.stage)


def regulator_verdicts(
    results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]
) -> pd.DataFrame:
    """Can the targets of this one regulator be found? One row a regulator.

    A regulator whose whole interval of reliability lies below the readable level
    is excluded by measurement. All others share the verdict of the goal
    ``regulator_targets``, but none is supported whose interval does not lie above it or that
    predicts no target; of the latter predictability is the limiting stage. Columns:
    regulator, limited_by (stage or None), verdict.
    """
    import pandas as pd

    goal = goals["regulator_targets"]
    named = [r.tables["regulators"] for r in results.values() if "regulators" in r.tables]
    if not named:
        return pd.DataFrame(columns=["regulator", "limited_by", "verdict"])
    table = pd.DataFrame({"regulator": pd.unique(pd.concat([t["regulator"] for t in named]))})
    stage = goal.limiting_stage
    table["limited_by"] = stage.value if stage else None
    table["verdict"] = goal.verdict.value
    idle = _named(results, "predictability", lambda t: t["predicted_targets"] == 0)
    if goal.verdict is not Answer.EXCLUDED:
        table.loc[table["regulator"].isin(idle), "limited_by"] = Stage.PREDICTABILITY.value
    if goal.verdict is Answer.SUPPORTED:
        unsure = _named(
            results, "reliability", lambda t: t["reliability_low"] < thresholds.READABLE
        )
        table.loc[table["regulator"].isin([*unsure, *idle]), "verdict"] = Answer.NOT_EXCLUDED.value
    unread = _named(results, "reliability", lambda t: t["reliability_high"] < thresholds.READABLE)
    inside = table["regulator"].isin(unread)
    table.loc[inside, "limited_by"] = Stage.MEASUREMENT.value
    table.loc[inside, "verdict"] = Answer.EXCLUDED.value
    return table


def _named(
    results: Mapping[str, Result], check: str, which: Callable[[pd.DataFrame], pd.Series]
) -> list[str]:
    """Regulators of a check's table for which a condition holds; none without the table."""
    table = results[check].tables.get("regulators") if check in results else None
    return [] if table is None else table.loc[which(table), "regulator"].tolist()


def _readable(results: Mapping[str, Result]) -> tuple[int, int] | None:
    """Regulators whose reliability is not shown to be too low, and all of them."""
    result = results.get("reliability")
    if result is None or "regulators" not in result.tables:
        return None
    high = result.tables["regulators"]["reliability_high"]
    return int((high >= thresholds.READABLE).sum()), len(high)


def _independently_shown(
    goal: Goal, states: Mapping[Stage, StageState], results: Mapping[str, Result]
) -> bool:
    """Does something beyond the path agree, as support of this goal needs?

    Modules: halves that share no donor. Confident edges, and the targets of one
    regulator: a selector that keeps its nominal rate on these regulators and finds
    enough, and knowledge of how far mRNA stands for the regulator. Perturbation response:
    held-out perturbations. Direction: most perturbations of regulators move other genes. Of a
    whole network nothing shows enough.
    """
    if goal.key == "modules":
        return _donors_apart(results)
    if goal.key == "perturbation_response":
        return held_out(results).status is Status.ENOUGH
    if goal.key == "edge_direction":
        moved = results.get("perturbation")
        return moved is not None and moved.verdict.status is Status.ENOUGH
    if goal.key not in _CALIBRATED:
        return False
    calibrated = results.get("fdr")
    proxy = states[Stage.PROXY].status
    return (
        calibrated is not None
        and calibrated.verdict.status is Status.ENOUGH
        and proxy in (Status.ENOUGH, Status.BORDERLINE)
    )


def _donors_apart(results: Mapping[str, Result]) -> bool:
    """Did the halves of the stability check share no donor?"""
    result = results.get("stability")
    if result is None or "summary" not in result.tables:
        return False
    return result.tables["summary"].set_index("statistic").loc["stab_c", "halves"] == "donors"


def _lift(weakest: _Link, results: Mapping[str, Result]) -> str | None:
    """What would lift the weakest link; of one that was not assessed, what to bring."""
    if weakest.status is not Status.NOT_ASSESSED:
        return lift.sentence(weakest.stage, results, weakest.check)
    _, bring, what = weakest.reason.partition("Bring ")
    return f"{bring}{what}" or None


def _reason(goal: Goal, weakest: _Link, verdict: Answer, readable: tuple[int, int] | None) -> str:
    if verdict is Answer.SUPPORTED:
        return _SUPPORTED[goal.key]
    reason = weakest.reason
    if readable and verdict is Answer.NOT_EXCLUDED:
        kept = f"{readable[0]} of {readable[1]} regulators"
        reason = f"{kept} are not excluded by their own reliability. {reason}"
    return reason
