"""The page: one file, complete without script, closed to the network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from infocheck.report import digits, document, views, words
from infocheck.report.regulators import KEY, TABLE

if TYPE_CHECKING:
    from markupsafe import Markup

    from infocheck.report.model import Report

# The copy inside the page leaves out rows of tables longer than this, and of the
# longest ones until all of it is smaller than that.
LONG_TABLE = 2000
SHORT_TABLE = 200
MOST_BYTES = 1_500_000


def render(report: Report) -> str:
    """The report as one HTML document.

    Parameters
    ----------
    report
        The report; the same report gives the same bytes.
    """
    from markupsafe import Markup

    script = asset("page.js")
    regulators = views.regulator_table(report)
    data, whole = page_document(report, regulators["names"])
    glossary = Glossary()
    return template("page.html.j2").render(
        report=report,
        views=views,
        words=words,
        digits=digits,
        schema=document.SCHEMA,
        css=Markup(asset("page.css")),
        script=Markup(script),
        script_hash=script_hash(script),
        data=embedded(data),
        rows=embedded(views.script_rows(regulators, whole=whole)),
        regulators=regulators,
        sections=views.sections(report),
        chain=views.chain(report),
        lead=views.lead(report),
        methods=views.methods(report),
        bibtex=views.bibtex(report),
        stem=stem(report.dataset["name"]),
        shortened=data["provenance"].get("shortened_in_page", []),
        card_css=Markup(_card_css([column.label for column in regulators["columns"]])),
        gloss=glossary.mark,
    )


def page_document(report: Report, names: list[str]) -> tuple[dict, bool]:
    """The document with long tables cut, and whether the regulators are all there.

    Tables of regulators keep the regulators that the page shows.
    """
    data = document.to_document(report)
    lengths = {
        (check, name): len(rows)
        for check, block in data["checks"].items()
        for name, rows in block["tables"].items()
    }
    shortened, whole, shown = [], True, set(names)
    size = len(document.dumps(data, indent=None))
    for check, name in sorted(lengths, key=lambda key: (-lengths[key], key)):
        length = lengths[check, name]
        if length <= SHORT_TABLE or (length <= LONG_TABLE and size <= MOST_BYTES):
            continue
        found = data["checks"][check]["tables"]
        rows = found[name]
        if name == TABLE:
            whole = False
            rows = [row for row in rows if str(row.get(KEY)) in shown]
        found[name] = rows[:SHORT_TABLE]
        shortened.append(f"{check}.{name}")
        size = len(document.dumps(data, indent=None))
    if shortened:
        data["provenance"]["shortened_in_page"] = sorted(shortened)
    return data, whole


def embedded(data: Mapping) -> Markup:
    """Data that cannot end the script element it stands in."""
    from markupsafe import Markup

    return Markup(document.dumps(data, indent=None).replace("<", "\\u003c"))


def script_hash(script: str) -> str:
    """Hash of the only script that the page's policy lets run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _card_css(labels: list[str]) -> str:
    """Labels of the cards that rows of regulators become on a phone.

    One rule a column, where an attribute in every cell would weigh a tenth of the page.
    """
    rules = (
        f'.gt td:nth-child({i})::before{{content:"{_css_text(label)} "}}'
        for i, label in enumerate([*labels, "Limited by"], start=2)
    )
    return f"@media screen and (max-width:44rem){{{''.join(rules)}}}"


def _css_text(text: str) -> str:
    return "".join(c if c.isalnum() or c in " .,()%-" else f"\\{ord(c):x} " for c in text)


class Glossary:
    """Explains each term where it is read first, and only there."""

    def __init__(self) -> None:
        self._left = dict(words.GLOSSARY)

    def mark(self, text: str) -> Markup:
        from markupsafe import Markup

        done, at = [], 0
        for match in _terms().finditer(text):
            term = _term(match[0])
            explanation = self._left.pop(term, None)
            if explanation is None:
                continue
            done.append(_unbroken(text[at : match.start()]))
            done.append(Markup('<abbr title="{}">{}</abbr>').format(explanation, match[0]))
            at = match.end()
        return Markup("").join([*done, _unbroken(text[at:])])


def _unbroken(text: str) -> Markup:
    """Escaped text in which no line ends inside an interval."""
    from markupsafe import Markup, escape

    safe = re.sub(r"\([\d.,%−]+–[\d.,%−]+\)", r'<span class="nw">\g<0></span>', str(escape(text)))
    return Markup(safe)


@cache
def _terms() -> re.Pattern[str]:
    longest_first = sorted(words.GLOSSARY, key=lambda term: (-len(term), term))
    alternatives = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", flags=re.I)


def _term(found: str) -> str:
    return next(term for term in words.GLOSSARY if term.lower() == found.lower())


def template(name: str):
    """A template of this folder; it may import others of it."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(asset),
    )
    environment.filters |= {"first_sentence": lambda text: views.sentences(text)[0]}
    return environment.get_template(name)


@cache
def asset(name: str) -> str:
    """Text of a file of this folder."""
    return resources.files("infocheck.report").joinpath(name).read_text(encoding="utf-8").strip()


def stem(name: str) -> str:
    """Name of the files beside the page, of characters that every system allows."""
    stem = re.sub(r"\.(h5ad|h5|csv|tsv|txt|zarr|gz|mtx)$", "", name, flags=re.I)
    return re.sub(r"[^\w.-]+", "_", stem) or "data"
