"""The page of a planned study: one file, complete without script, closed to the network."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from infocheck import thresholds
from infocheck.references import REFERENCES
from infocheck.report import digits, notebook, page, study_document, tables, words
from infocheck.report.digits import about
from infocheck.report.words import plural
from infocheck.result import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from infocheck.planning.study import Study

log = logging.getLogger(__name__)

# A plan measures nothing, so it has no verdict of its own.
BOUND = words.Mark("Upper bound, not a promise", "◇", "info")
# Rows of the designs that the copy inside the page keeps.
MOST_DESIGNS = 2000
# Rows of a folded table on the page.
MOST_ROWS = 60

TITLES = {
    "designs": "Designs",
    "optimum": "Best design by strength of edges",
    "curves": "Power along each axis",
    "limits": "Twice as much of one axis",
    "sensitivity": "One assumption at a time",
    "perturbation": "Power by cells per perturbation",
    "guides": "Cells, guides and controls that typical targets need",
}
_METHODS = ("fisher1921", "spearman1904", "benjamini1995", "moulton1986")
_GLOSSARY = {
    "UMI": "Unique molecular identifier: one counted molecule, however often it was read.",
    "Effective rows": "Independent observations that the rows amount to for the correlation of "
    "two genes: cells of one donor resemble each other.",
    "Intraclass correlation": "Share of a gene’s variance that lies between donors.",
    "Biological CV²": "Variance of a gene’s true level between cells over its squared mean: what "
    "is left of its variation without counting noise.",
    "True correlation": "Correlation of two genes if both were measured without noise.",
    "Power": "Share of the true edges that is found, on average over repeats of the study.",
}
_HOUSE = ("Regulator", "Target", "Edge", "Reliability", "FDR", "Donor", "Need", "Floor")


def render(study: Study) -> str:
    """The study as one HTML document."""
    from markupsafe import Markup

    script = f"{page.asset('page.js')}\n{page.asset('study.js')}"
    css = f"{page.asset('page.css')}\n{page.asset('study.css')}"
    figures = _figures(study)
    data, shortened = _page_document(study)
    glossary = page.Glossary()
    return page.template("study.html.j2").render(
        study=study,
        digits=digits,
        schema=study_document.SCHEMA,
        css=Markup(css),
        script=Markup(script),
        script_hash=page.script_hash(script),
        data=page.embedded(data),
        shortened=shortened,
        pilot_digest=study.system.pilot.get("sha256"),
        simulated=bool(study.system.pilot.get("simulated")),
        stem=page.stem(study.stem),
        contents=_contents(study, figures),
        bound_mark=BOUND,
        measurement=measurement(study),
        remarks=remarks(study),
        best_rows=best_rows(study),
        curves=[figures[axis] for axis in ("donors", "cells", "depth") if axis in figures],
        map=figures.get("map"),
        sensitivity=figures["sensitivity"],
        screen=figures.get("perturbation"),
        curve_words=_curve_words(study),
        map_words=_map_words(study),
        sensitivity_words=_sensitivity_words(study),
        screen_words=screen_words(study),
        system_words=_system_words(study),
        assumptions=study.tables["assumptions"]["assumption"].tolist(),
        computed=_computed(study),
        misleads=MISLEADS,
        references=[REFERENCES[key] for key in references(study)],
        fields=_fields(study),
        methods=methods(study),
        bibtex=_bibtex(study),
        shown=_shown(study),
        titles=TITLES,
        glossary={**{term: words.GLOSSARY[term] for term in _HOUSE}, **_GLOSSARY},
        gloss=glossary.mark,
    )


def card(study: Study) -> str:
    """The study in brief for a notebook: sentence and numbers, inline styles alone."""
    body = [
        f"<div><b>{notebook.text(study.system.title)}</b></div>",
        f"<p><b>{notebook.text(study.headline)}</b></p>",
        f"<p>{notebook.text(study.sentence)}</p>",
        notebook.table(
            "The best design",
            ("Of the best design", "Number", "95% range", "With twice as much"),
            [(r["title"], r["number"], r["range"], r["more"]) for r in best_rows(study)],
        ),
        f"<p>{BOUND.glyph} {BOUND.word}.</p>",
        "<details><summary>Assumptions</summary><ol>",
        *(f"<li>{notebook.text(a)}</li>" for a in study.tables["assumptions"]["assumption"]),
        "</ol></details>",
    ]
    if study.system.pilot.get("simulated"):
        body.insert(0, "<div><b>Simulated pilot with a known truth.</b></div>")
    return notebook.framed(body, BOUND)


# --- the answer ----------------------------------------------------------------------------


def _ends_of_grid(study: Study) -> list[str]:
    """Axes of which the best design has the least or the most that was compared."""
    designs, said = study.tables["designs"], []
    for axis in ("donors", "cells", "depth"):
        least, most = designs[axis].min(), designs[axis].max()
        if least < most and study.best[axis] in (least, most):
            end = "least" if study.best[axis] == least else "most"
            said.append(f"{study.axis_words(axis)} ({end})")
    if not said:
        return []
    return [
        f"The best design stands at an end of what was compared: {' and '.join(said)}. A wider "
        "range may move it."
    ]


def measurement(study: Study) -> dict | None:
    """Would regulators be readable at the depth of the best design? None without depth."""
    if not study.system.has_depth:
        return None
    share = float(study.best["readable_share"])
    if share >= thresholds.READABLE_SHARE_NEED:
        status = Status.ENOUGH
    elif share < thresholds.READABLE_SHARE_FLOOR:
        status = Status.LIMITING
    else:
        status = Status.BORDERLINE
    return {"mark": words.STATUS[status], "share": share}


def remarks(study: Study) -> list[str]:
    """What belongs beside the sentence: measurement, weaker edges, what limits, odds."""
    from infocheck.planning.model import counts_needed

    said = []
    limit = study.limited_by
    if limit and study.reached:
        row = study.tables["limits"].set_index("axis").loc[limit]
        said.append(
            f"{_upper(study.axis_words(limit))} limits most: twice of it would find at most "
            f"{row['power_then']:.0%} of the edges instead of {row['power']:.0%}."
        )
    others = study.tables["optimum"].set_index("multiple")
    weaker, stronger = others.loc[0.5], others.loc[1.5]
    said.append(
        _for_effect(study, weaker, "Edges half as strong")
        + " "
        + _for_effect(study, stronger, "Those one and a half times as strong")
    )
    state = measurement(study)
    if state:
        values = study.system.values()
        need, floor = (
            about(counts_needed(values, share))
            for share in (thresholds.READABLE_SHARE_NEED, thresholds.READABLE_SHARE_FLOOR)
        )
        unit = "UMI" if study.system.kind == "umis" else "reads"
        said.append(
            f"{state['share']:.0%} of regulators would reach a reliability of "
            f"{thresholds.READABLE:g} (need {thresholds.READABLE_SHARE_NEED:.0%}). Below about "
            f"{need} {unit} measurement would be borderline, below about {floor} limiting."
        )
    said += _ends_of_grid(study)
    if study.best["reached_share"] < 0.975:
        said.append(
            f"In {1 - study.best['reached_share']:.0%} of the draws of what is uncertain no design "
            "of the grid reaches the goal; the range then holds the design that comes nearest."
        )
    return said


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _for_effect(study: Study, row: pd.Series, what: str) -> str:
    text = f"{what} ({row['effect']:.2g})"
    if not row["reached"]:
        return f"{text} are out of reach of this grid: at most {row['power']:.0%}."
    if study.plan.budget is not None:
        return f"{text} are found in at most {row['power']:.0%} of cases for the same money."
    return f"{text} take {study.describe(row)}."


def best_rows(study: Study) -> list[dict]:
    """Numbers of the best design with ranges, and what twice as much would bring."""
    best, system = study.best, study.system
    limits = study.tables["limits"].set_index("axis")
    titles = {
        "donors": plural(system.donor).capitalize(),
        "cells": f"{plural(system.row).capitalize()} per {system.donor}",
        "depth": f"Reads per {system.row}",
    }
    rows = []
    for axis, title in titles.items():
        if axis not in limits.index:
            continue
        gain = limits.loc[axis]
        rows.append(
            {
                "title": title,
                "number": f"{best[axis]:,.0f}",
                "range": _range(best[f"{axis}_low"], best[f"{axis}_high"]),
                "more": f"at most {gain['power_then']:.0%} of edges",
            }
        )
    if system.kind == "umis":
        rows.append(
            {
                "title": f"UMIs per {system.row}",
                "number": f"{best['umis']:,.0f}",
                "range": _range(best["umis_low"], best["umis_high"]),
                "more": digits.MISSING,
            }
        )
    if study.tables["designs"]["batches"].max() > 1:
        rows.append(_plain("Batches", f"{best['batches']:,.0f}"))
    kept = " after doublets" if system.kind == "umis" else ""
    rows += [
        _plain(f"{plural(system.row).capitalize()}{kept}", f"{best['rows']:,.0f}"),
        _plain("Effective rows of a median pair", f"{best['effective_rows']:,.0f}"),
        {
            **_plain("Edges found, at most", f"{best['power']:.0%}"),
            "range": _power_range(best),
        },
        _plain("Cost", f"{best['cost']:,.0f}"),
    ]
    return rows


def _plain(title: str, number: str) -> dict:
    return {"title": title, "number": number, "range": digits.MISSING, "more": digits.MISSING}


def _power_range(best: pd.Series) -> str:
    return digits.bracket(best["power_low"], best["power_high"], 0, share=True)


def _range(low: float, high: float) -> str:
    if not low < high:
        return digits.MISSING
    return f"{low:,.0f}–{high:,.0f}"


# --- words of the sections -----------------------------------------------------------------


def _curve_words(study: Study) -> str:
    return (
        "Each figure varies one number and keeps the others as in the best design. Where a curve "
        "is flat, more of it is wasted."
    )


def _map_words(study: Study) -> str:
    money = (
        f"the budget of {study.plan.budget:,.0f}"
        if study.plan.budget is not None
        else f"what the best design costs ({study.best['cost']:,.0f})"
    )
    return (
        f"Every design of the grid was evaluated: {len(study.tables['designs']):,} of them. The "
        f"line separates those that cost no more than {money} from those that cost more. Costs "
        "are in your units; those that you did not give are assumed."
    )


def _sensitivity_words(study: Study) -> str:
    return (
        "One assumption at a time is put at either end of its range, and the best design is "
        "sought again. The figure shows what the design as planned would find then; the table "
        "also has the design that would be best."
    )


def screen_words(study: Study) -> list[str]:
    """What the screen needs, in words."""
    if study.screen is None:
        return []
    screen, guides = study.screen, study.tables["guides"]
    said = []
    for change in dict.fromkeys(guides["fold_change"]):
        row = guides[(guides["fold_change"] == change) & (guides["target"] == "median")].iloc[0]
        if row["cells_per_perturbation"] != row["cells_per_perturbation"]:
            said.append(f"No number of cells shows a fold change of {change:g} of a median target.")
            continue
        said.append(
            f"A fold change of {change:g} of a median target ({row['mean_umis']:.2g} UMI per cell) "
            f"takes about {about(row['cells_per_perturbation'])} cells per perturbation for a "
            "power of 80% at the level of Bonferroni over its targets: "
            f"{screen.guides} guides with {about(row['cells_per_guide'])} cells each, and "
            f"{about(row['control_cells'])} control cells with {row['control_guides']:,.0f} guides "
            "that target nothing, as many cells a guide."
        )
    total = study.best["rows"] / screen.perturbations
    said.append(
        f"At {about(study.best['umis'])} UMI per cell, for {screen.perturbations:,} perturbations. "
        f"The cells of the best design above would leave {about(total)} for each. At least two "
        "guides a perturbation, and two that target nothing, are needed to tell an effect from "
        "that of a guide. Only targets of the perturbed regulators can be found this way."
    )
    return said


def _system_words(study: Study) -> str:
    system = study.system
    pilot = system.pilot
    if pilot.get("rows"):
        rows, genes, donors = pilot["rows"], pilot["genes"], pilot["donors"] or "no"
        return (
            f"Measured on the pilot: {rows:,} rows of {genes:,} genes, {donors} labelled donors. "
            "Ranges are jackknife intervals; what the pilot cannot tell is assumed. How the "
            "pilot's own halves would agree with twice the data stands in its report "
            "(infocheck report)."
        )
    return (
        f"{system.title}: {system.assay}, {system.organism}. A profile that comes with infocheck; "
        "your system may differ by more than the ranges say. A pilot is better."
    )


MISLEADS = (
    "Power for association, which need not be regulation. Hidden factors and indirect edges are "
    "found as well, and real data reach far less than such calculations say: they overstated the "
    "area under the curve by 0.25 to 0.36 in a preliminary study. Curves compare designs of one "
    "system; across systems they mislead. Profiles rest on few data sets."
)


def _computed(study: Study) -> str:
    text = (
        "Every gene has a log signal per counted molecule, normal over genes: its share of all "
        "counts times its biological CV². Its logistic function, at the depth of a design, is the "
        "reliability. Nine regulators and nine targets that stand for equal shares make 81 pairs. "
        "A true correlation shrinks by the root of both reliabilities; rows of one donor "
        "count as far as the product of both intraclass correlations leaves them independent; "
        "strengths that differ between donors add their variance over the donors. Power "
        "is that of Fisher's z at the level where the false discovery rate holds, averaged over "
        "the pairs. "
    )
    if study.system.kind == "umis":
        text += (
            "Molecules follow from reads by sampling with repeats from a library of finite size; "
            "doublets grow with the cells in a channel and are dropped. "
        )
    return text + (
        f"The best design is found by evaluating all {len(study.tables['designs']):,}. Ranges: all "
        f"uncertain numbers are drawn {study.provenance.get('draws')} times from their ranges, "
        "independently, and the best design is sought again; 2.5th and 97.5th percentile."
    )


def references(study: Study) -> list[str]:
    """Keys of the papers whose ideas were used."""
    found = list(_METHODS)
    if study.system.kind == "umis":
        found.append("lander1988")
    if study.system.has_depth:
        found.append("zhang2020")
    return found


def _bibtex(study: Study) -> list[str]:
    software = (
        f"@software{{infocheck,\n  author = {{{{The infocheck developers}}}},\n"
        f"  title = {{infocheck}},\n  version = {{{study.provenance.get('version')}}}\n}}"
    )
    return [software, *(REFERENCES[key].bibtex for key in references(study))]


def methods(study: Study) -> str:
    """A paragraph to paste."""
    plan, system, run = study.plan, study.system, study.provenance
    best = study.best
    where = (
        f"a pilot of {system.pilot['rows']:,} rows"
        if system.pilot.get("rows")
        else f"the profile {system.name}"
    )
    return (
        f"The study was planned with infocheck design {run.get('version')} on {where}. Power to "
        f"find edges with a true correlation of {plan.effect:g} (and of {plan.effect * 0.5:g} and "
        f"{plan.effect * 1.5:g}) at an FDR of {100 * plan.fdr:g}% was computed for "
        f"{len(study.tables['designs']):,} designs, with {plan.in_degree:g} such regulators per "
        f"target among {plan.regulators:,} and {plan.targets:,} targets. The best design was "
        f"{study.describe(best, ranges=True)}, with an upper bound of the power of "
        f"{best['power']:.0%} ({_power_range(best)} "
        f"over {run.get('draws')} draws of what is uncertain). Seed {run.get('seed')}."
    )


# --- tables and figures --------------------------------------------------------------------


def _contents(study: Study, figures: Mapping) -> list[tuple[str, str]]:
    found = []
    if any(axis in figures for axis in ("donors", "cells", "depth")):
        found.append(("curves", "How much more helps?"))
    if "map" in figures:
        found.append(("map", "What the money buys"))
    found.append(("sensitivity", "What it rests on"))
    if "perturbation" in figures:
        found.append(("perturbations", "Perturbations"))
    return [
        *found,
        ("assumptions", "Assumptions"),
        ("system", "The system"),
        ("methods", "Methods text"),
        ("provenance", "Provenance"),
        ("glossary", "Glossary"),
    ]


def _figures(study: Study) -> dict[str, dict]:
    from infocheck.plotting import NARROW

    found = {}
    order = ("donors", "cells", "depth", "map", "sensitivity", "perturbation")
    charts = study.charts()
    for number, name in enumerate((name for name in order if name in charts), start=1):
        chart = charts[name]
        found[name] = {
            "id": f"figure-{name}",
            "number": number,
            "title": chart.title,
            "caption": chart.caption,
            "wide": chart.svg(f"study-{name}"),
            "narrow": chart.svg(f"study-{name}-narrow", NARROW),
        }
    return found


def _shown(study: Study) -> dict[str, tables.Shown]:
    """Tables as text; of the designs those that are near the best in cost and power."""
    found = {}
    for name, table in study.tables.items():
        if name in ("system", "assumptions"):
            continue
        if name == "designs":
            table = _best_first(study, table)
        found[name] = tables.show(name, _tidy(study, table), MOST_ROWS)
    return found


def _best_first(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """With a budget by power among what it buys, else by cost among what is enough."""
    if study.plan.budget is not None:
        return table.sort_values(["within_budget", "power"], ascending=False, kind="stable")
    enough = table["power"] >= study.plan.power
    order = table.assign(_short=~enough, _by=table["cost"].where(enough, -table["power"]))
    return order.sort_values(["_short", "_by"], kind="stable").drop(columns=["_short", "_by"])


def _tidy(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Without columns that say nothing here."""
    empty = [name for name in table if table[name].isna().all()]
    if not study.system.has_depth:
        empty += ["depth", "depth_low", "depth_high"]
    if study.plan.budget is None:
        empty.append("within_budget")
    if "batches" in table and (table["batches"] == 1).all():
        empty.append("batches")
    kept = table.drop(columns=[name for name in dict.fromkeys(empty) if name in table])
    if "axis" in kept:
        return kept.assign(axis=kept["axis"].map(lambda a: study.axis_words(a)))
    return kept


def _fields(study: Study) -> list[dict]:
    rows = []
    for row in study.tables["system"].to_dict("records"):
        low, high = row["central_low"], row["central_high"]
        rows.append(
            {
                "field": row["field"],
                "meaning": row["meaning"],
                "unit": row["unit"],
                "value": _short(row["central"]),
                "range": f"{_short(low)} to {_short(high)}" if low < high else "known",
                "basis": row["basis"].capitalize(),
                "source": row["source"],
            }
        )
    return rows


def _short(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}".replace("-", "−")


def _page_document(study: Study) -> tuple[dict, list[str]]:
    """The document with long tables cut, and which ones."""
    data = study_document.to_document(study)
    shortened = []
    if len(data["tables"]["designs"]) > MOST_DESIGNS:
        best = _best_first(study, study.tables["designs"]).head(MOST_DESIGNS)
        data["tables"]["designs"] = study_document.records(best)
        shortened.append("designs")
    return data, shortened
