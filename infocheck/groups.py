"""The whole report for each group of rows: which of my cell types could hold a network?

The file is opened once. Groups are assessed one after another with the same seed, each on rows
that are read where they stand, so that memory is that of the largest group.
"""

from __future__ import annotations

import re
import time as clock
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from infocheck import output, thresholds
from infocheck import roles as role_choice
from infocheck.errors import InputError
from infocheck.source import Source, open_source

if TYPE_CHECKING:
    from anndata import AnnData

    from infocheck.report import Report
    from infocheck.roles import Role

# More groups than this are more than a reader compares, and hours of work.
MOST_GROUPS = 30
# Letters and bytes of a level inside the name of a file; endings and folders come on top.
_MOST_LETTERS, _MOST_BYTES = 60, 120
# Names that Windows keeps for devices, whatever their ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_NOUNS = {
    "batch": ("batch", "batches"),
    "donor": ("donor", "donors"),
    "cell_type": ("cell type", "cell types"),
    "condition": ("condition", "conditions"),
    "cell_cycle": ("phase", "phases"),
    "perturbation": ("perturbation", "perturbations"),
    "time": ("time point", "time points"),
}
_CLUSTERS = re.compile(r"leiden|louvain|seurat_clusters|clusters?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, repr=False)
class Groups:
    """A report for each group of rows, and how they compare.

    Attributes
    ----------
    by
        The column of obs that tells the groups apart.
    reports
        Reports by level, the level with the most rows first.
    refused
        Levels that could not be assessed, with the sentence that says why.
    document
        The comparison as plain values, ``infocheck.comparison/1``.
    date
        ISO date of the run; shown, but not part of the document.

    Examples
    --------
    >>> groups = ic.assess_by(adata, by="cell_type")  # doctest: +SKIP
    >>> groups.reports["B cells"].summary  # doctest: +SKIP
    >>> groups.to_html("groups.infocheck.html")  # doctest: +SKIP
    """

    by: str
    reports: Mapping[str, Report]
    refused: Mapping[str, str]
    document: Mapping
    date: str = ""

    def __getitem__(self, level: str) -> Report:
        """The report of one level."""
        if level in self.refused:
            raise KeyError(f"{level!r} was not assessed: {self.refused[level]}")
        if level not in self.reports:
            raise KeyError(f"{self.by!r} has no level {level!r}; there are {list(self.reports)}")
        return self.reports[level]

    def __repr__(self) -> str:
        return "\n".join([str(self.document["sentence"]), *self.lines()])

    def lines(self, width: int | None = None) -> list[str]:
        """One entry a group for a terminal: verdict of the goal, rows, and what limits it.

        Parameters
        ----------
        width
            Columns of the terminal; a longer entry is broken. None breaks none.
        """
        from infocheck.report import comparison_terminal

        return comparison_terminal.lines(self.document, width)

    def to_html(self, path: str | Path | None = None) -> str:
        """The page of the comparison as text.

        With ``path`` it is written there, and the page and the document of each group into
        the folder of the same name beside it.
        """
        from infocheck.report import comparison_page

        if path is None:
            return comparison_page.render(self.document, date=self.date)
        contents = self.contents(output.Target(Path(path), output.PAGE), None)
        output.write(contents, force=True)
        return str(contents[0][1])

    def to_json(self, path: str | Path | None = None) -> str:
        """The comparison as a JSON document; also written to ``path`` when one is given."""
        from infocheck.report import document

        text = document.dumps(self.document)
        if path is not None:
            output.write([(output.Target(Path(path), output.DOCUMENT), text)], force=True)
        return text

    def linked(self, page: Path) -> dict:
        """The document with paths from that page to what belongs to each group."""
        from infocheck.report import comparison_document

        links = {
            level: tuple(quote(f"{one.path.parent.name}/{one.path.name}") for one in both)
            for level, both in group_targets(page, list(self.reports)).items()
        }
        return comparison_document.with_files(self.document, links)

    def contents(
        self, page: output.Target, document: output.Target | None
    ) -> list[tuple[output.Target, str | Callable[[Path], None]]]:
        """What is to be written where: the comparison first, then each group.

        Whole reports are made when they are written, one at a time.
        """
        from infocheck.report import comparison_page
        from infocheck.report.document import dumps

        places = group_targets(page.path, list(self.reports))
        linked = self.linked(page.path)
        found: list = [(page, comparison_page.render(linked, date=self.date))]
        if document is not None:
            found.append((document, dumps(linked)))
        for level, (whole, saved) in places.items():
            report = self.reports[level]
            found.append((whole, _written(report.to_html)))
            found.append((saved, _written(report.to_json)))
        return found

    def _repr_html_(self) -> str:
        from infocheck.report import comparison_page

        return comparison_page.card(self.document)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Groups of an opened data set, before any of them is assessed.

    Attributes
    ----------
    source
        The data set.
    grouping
        The column as levels, the largest first, and the level of each row.
    options
        Further arguments of :func:`infocheck.assess`.
    """

    source: Source
    grouping: Role
    options: Mapping[str, object]

    @property
    def by(self) -> str:
        return str(self.grouping.column)

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels that are looked at, the largest first."""
        return self.grouping.levels[:MOST_GROUPS]

    @property
    def sizes(self) -> np.ndarray:
        """Rows of every level, shape (levels,)."""
        codes = self.grouping.codes
        return np.bincount(codes[codes >= 0], minlength=self.grouping.n_levels)

    @property
    def large_enough(self) -> list[str]:
        """Levels that are looked at and have enough rows to be split into halves."""
        least = thresholds.MIN_OBSERVATIONS_SAMPLING
        return [level for level, n in zip(self.levels, self.sizes, strict=False) if n >= least]

    def run(
        self,
        *,
        command: str | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Groups:
        """Assess the groups one after another.

        Raises
        ------
        InputError
            None of them can be assessed.
        """
        from infocheck.pipeline import assess
        from infocheck.report import comparison_document
        from infocheck.report.document import to_document

        start = clock.perf_counter()
        least = thresholds.MIN_OBSERVATIONS_SAMPLING
        reports, refused, entries = {}, {}, []
        large = self.large_enough
        for code, level in enumerate(self.levels):
            n = int(self.sizes[code])
            try:
                if level not in large:
                    raise InputError(
                        f"{n} {'row is' if n == 1 else 'rows are'} too few to be split into "
                        f"halves; at least {least} are needed."
                    )
                tell = _numbered(progress, level, large.index(level) + 1, len(large))
                report = assess(self._part(code), command=command, progress=tell, **self.options)
            except InputError as problem:
                refused[level] = str(problem)
                entries.append(comparison_document.missing(level, str(problem), rows=n))
            else:
                reports[level] = report
                entries.append(comparison_document.entry(level, to_document(report), rows=n))
        if not reports:
            first = next(iter(refused))
            raise InputError(
                f"--by: none of the {len(refused)} groups of {self.by!r} can be assessed; of the "
                f"largest, {first!r}: {refused[first]}"
            )
        last = next(reversed(reports.values()))
        return Groups(
            by=self.by,
            reports=reports,
            refused=refused,
            document=comparison_document.build(
                entries,
                goal=last.goal,
                noun=noun(self.by),
                by=self._facts(),
                provenance=_provenance(last, clock.perf_counter() - start),
            ),
            date=last.date,
        )

    def _part(self, code: int) -> Source:
        rows = self.grouping.codes == code
        return self.source.keep(rows, column=self.by, level=self.grouping.levels[code])

    def _facts(self) -> dict[str, object]:
        beyond = self.sizes[MOST_GROUPS:]
        return {
            "source": self.source.name,
            "sha256": self.source.digest(),
            "column": self.by,
            "levels": self.grouping.n_levels,
            "levels_left_out": len(beyond),
            "rows_left_out": int(beyond.sum()),
            "rows_unlabelled": int((self.grouping.codes < 0).sum()),
        }


def plan(
    source: str | Path | AnnData | Source,
    *,
    by: str,
    transpose: bool = False,
    **options: object,
) -> Plan:
    """Open a data set once and find its groups; no value is read yet.

    Parameters are those of :func:`assess_by`.

    Raises
    ------
    InputError
        The column tells no groups of rows apart, or a named column does not fit all rows.
    """
    opened = open_source(source, transpose=transpose).once()
    found = role_choice.grouping(opened.obs, by, thresholds.MIN_OBSERVATIONS_SAMPLING)
    named = {role: options.get(role) for role in role_choice.ROLES}
    # A mistake in a name is found on all rows, once, and not as often as there are groups.
    role_choice.assign(opened.obs, named, options.get("control"))
    return Plan(source=opened, grouping=found, options=options)


def assess_by(
    source: str | Path | AnnData,
    *,
    by: str,
    transpose: bool = False,
    command: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: object,
) -> Groups:
    """Assess every group of rows on its own: cell types, conditions, donors.

    Parameters
    ----------
    source
        As for :func:`infocheck.assess`.
    by
        Column of obs. Its 30 largest levels are looked at; of them those with fewer than 10
        rows are not assessed. Rows without a label are left out.
    transpose, command, progress, **options
        As for :func:`infocheck.assess`, and the same for every group. A named column that
        does not fit a group, such as a donor with all of its rows, is dropped there with a
        note.

    Returns
    -------
    Groups

    Raises
    ------
    InputError
        The column tells no groups of rows apart, or no group can be assessed.

    Notes
    -----
    Groups differ in their number of rows, on which the agreement of halves depends, and
    looking at many groups finds some by chance. The comparison says so beside its table.
    """
    return plan(source, by=by, transpose=transpose, **options).run(
        command=command or "infocheck.assess_by(...)", progress=progress
    )


# --- names -----------------------------------------------------------------------------------


def noun(column: str) -> tuple[str, str]:
    """What one level of the column is, and several are."""
    if _CLUSTERS.fullmatch(column):
        return "cluster", "clusters"
    role = role_choice.role_of(column)
    return _NOUNS[role] if role else ("group", "groups")


def group_targets(
    page: Path, levels: Sequence[str]
) -> dict[str, tuple[output.Target, output.Target]]:
    """Page and document of each level, in the folder beside the page that has its name."""
    folder = group_folder(page)
    names = file_names(levels)
    return {
        level: (
            output.Target(folder / f"{name}.infocheck.html", output.PAGE, makes_folder=True),
            output.Target(folder / f"{name}.infocheck.json", output.DOCUMENT, makes_folder=True),
        )
        for level, name in zip(levels, names, strict=True)
    }


def group_folder(page: Path) -> Path:
    """The folder of the whole reports: the page's name without its ending."""
    is_page = page.suffix.lower() in (".html", ".htm")
    return page.with_suffix("") if is_page else page.with_name(f"{page.name}.groups")


def file_names(levels: Sequence[str]) -> list[str]:
    """A name of a file for each level, safe on every system and different for each.

    Letters and digits of any script stay. Names that differ in case alone are told apart too,
    for systems that take them for one.
    """
    found: list[str] = []
    taken: set[str] = set()
    for level in levels:
        plain = _file_name(level)
        name, number = plain, 1
        while _folded(name) in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(_folded(name))
        found.append(name)
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _file_name(level: str) -> str:
    text = unicodedata.normalize("NFC", level)
    text = re.sub(r"[^\w.+-]+", "_", text).replace("..", "_")[:_MOST_LETTERS]
    while len(text.encode()) > _MOST_BYTES:
        text = text[:-1]
    text = text.lstrip("._-").rstrip("._") or "group"
    return f"_{text}" if _DEVICES.fullmatch(text) else text


def _numbered(
    progress: Callable[[str, int, int], None] | None, level: str, number: int, total: int
) -> Callable[[str, int, int], None] | None:
    if progress is None:
        return None
    name = "".join(c if c.isprintable() else " " for c in level)[:24]

    def tell(step: str, done: int, steps: int) -> None:
        progress(f"{number} of {total}, {name}: {step}", done, steps)

    return tell


def _written(make: Callable[[], str]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(make().encode("utf-8"))

    return write


def _provenance(report: Report, seconds: float) -> dict[str, object]:
    saved = report.provenance
    kept = ("version", "thresholds_version", "command", "seed", "peak_memory_mb", "packages")
    return {**{key: saved[key] for key in kept}, "seconds": seconds}
