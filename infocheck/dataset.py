"""Dataset: the values, the roles of the columns, and early, clear refusal of bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from infocheck import arms as arm_choice
from infocheck import decoys as decoy_choice
from infocheck import formula as formulas
from infocheck import panel as panels
from infocheck import regulators as regulator_choice
from infocheck import roles as role_choice
from infocheck import splits as split_choice
from infocheck import thresholds, values
from infocheck.arms import Arms
from infocheck.decoys import Decoys
from infocheck.engine import Engine
from infocheck.errors import InputError, suggest
from infocheck.evidence import given
from infocheck.evidence.given import Evidence
from infocheck.formula import Design
from infocheck.panel import Panel
from infocheck.roles import Role
from infocheck.source import Matrix, Source, open_source
from infocheck.splits import Splits
from infocheck.values import Scan

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from infocheck.moments import Moments
    from infocheck.networks import Reference

T = TypeVar("T")
_COUNT_LAYERS = ("counts", "count", "raw_counts", "raw", "umi", "umis", "umi_counts")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set that passed its entry checks, with what its columns stand for.

    Frozen, and never changes the AnnData it came from. Rows without any count
    are left out of everything below.

    Attributes
    ----------
    name, sha256
        Short name and digest of the input.
    n_obs, n_vars
        Cells and genes of the input, before anything was left out.
    kind
        Kind of values, see :mod:`infocheck.values`.
    layer, layer_guessed
        ``X`` or the name of the layer that was read, and whether that was a guess.
    simulated
        Was it written by :func:`infocheck.simulate`?
    genes
        Names, shape (n_vars,).
    roles
        Labelled roles of the kept rows, by name.
    regulator
        Which genes are candidate regulators, shape (n_vars,).
    regulator_source
        Where that list came from, in words.
    notes
        Every guess, drop and caveat, in words.
    scan
        Result of the first pass.
    kept
        Which rows are used, shape (n_obs,).
    size_factors
        Row totals of the kept rows scaled to median 1, or None for values that
        are no counts.
    panel, decoys, splits
        Genes, decoys among them, and divisions of rows of the second pass.
    engine
        Where work on the data runs.
    network
        What the check ``agreement`` scores against, and nothing else looks at.
    design
        Design columns of the kept rows, where the user stated a formula.
    evidence
        What stands beside expression: protein of the sampled rows, half-lives, regulons.
    arms
        How perturbed rows are compared with others, where perturbations are labelled.
    shared
        What several checks use, see :meth:`once`.
    """

    name: str
    sha256: str
    n_obs: int
    n_vars: int
    kind: str
    layer: str
    layer_guessed: bool
    simulated: bool
    genes: np.ndarray
    roles: Mapping[str, Role]
    regulator: np.ndarray
    regulator_source: str
    notes: tuple[str, ...]
    scan: Scan
    kept: np.ndarray
    size_factors: np.ndarray | None
    panel: Panel
    decoys: Decoys
    splits: Splits
    matrix: Matrix
    engine: Engine = field(default_factory=Engine)
    measured: Moments | None = None
    network: Reference | None = None
    design: Design | None = None
    evidence: Evidence = field(default_factory=Evidence)
    arms: Arms | None = None
    shared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n(self) -> int:
        """Rows that are used."""
        return int(self.kept.sum())

    @property
    def is_counts(self) -> bool:
        return self.kind == values.COUNTS

    @property
    def moments(self) -> Moments:
        """Sums of the second pass over rows."""
        if self.measured is None:
            raise ValueError("the second pass has not run; use Dataset.with_moments")
        return self.measured

    def with_moments(self, moments: Moments) -> Dataset:
        """The same data set with the sums of the second pass."""
        return replace(self, measured=moments, shared={})

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """What several checks use, computed by the first that asks; no check may depend on that.

        Parameters
        ----------
        name
            Of the result, one for each.
        compute
            Gives the same whoever asks: from these data and a seed of its own.
        """
        if name not in self.shared:
            self.shared[name] = compute()
        return self.shared[name]

    def with_network(self, network: Reference | None) -> Dataset:
        """The same data set with a network that the check ``agreement`` scores against."""
        return replace(self, network=network)

    @property
    def labelled_donors(self) -> int:
        """Number of labelled donors; 0 where none is."""
        return self.roles["donor"].n_levels if "donor" in self.roles else 0

    @property
    def depth(self) -> np.ndarray | None:
        """Log size factor of each kept row, or None without counts."""
        return None if self.size_factors is None else np.log(self.size_factors)

    def names(self, positions: np.ndarray) -> np.ndarray:
        """Names of genes at panel positions."""
        return self.genes[self.panel.genes[positions]]

    @classmethod
    def open(
        cls,
        source: str | Path | AnnData | Source,
        *,
        counts: str | None = None,
        batch: str | None = None,
        donor: str | None = None,
        cell_type: str | None = None,
        condition: str | None = None,
        cell_cycle: str | None = None,
        perturbation: str | None = None,
        control: str | None = None,
        time: str | None = None,
        regulators: str | Path | Iterable[str] | None = None,
        targets: int | str | Path | None = None,
        formula: str | None = None,
        protein: str | None = None,
        protein_map: str | Path | pd.DataFrame | None = None,
        half_lives: str | Path | pd.DataFrame | None = None,
        regulons: str | Path | pd.DataFrame | None = None,
        guide: str | None = None,
        transpose: bool = False,
        seed: int = 0,
        engine: Engine | None = None,
    ) -> Dataset:
        """Open, check, and read once through the values.

        Parameters are those of :func:`infocheck.assess`.

        Raises
        ------
        InputError
            One sentence: what is wrong and what to do.
        """
        opened = open_source(source, transpose=transpose)
        _check_names(opened)
        named = {
            "batch": batch,
            "donor": donor,
            "cell_type": cell_type,
            "condition": condition,
            "cell_cycle": cell_cycle,
            "perturbation": perturbation,
            "time": time,
        }
        # Cheap refusals first: labels and lists before any value is read.
        stated = None if formula is None else formulas.parse(formula)
        roles, notes = role_choice.assign(opened.obs, named, control, part=opened.part)
        if opened.part is not None:
            notes.insert(
                0,
                f"Only the rows of one level of {opened.part!r} were read. The SHA-256 is of the "
                "digest of all rows, the column and the level.",
            )
        chosen = regulator_choice.choose(
            opened.genes, option=regulators, column=opened.column, columns=opened.columns
        )
        notes += chosen.notes
        evidence, more = given.find(
            opened,
            roles,
            protein=protein,
            protein_map=protein_map,
            half_life_table=half_lives,
            regulons=regulons,
            guide=guide,
        )
        notes += more
        layer, matrix, scan, more = _values(opened, counts)
        notes += more

        kept = np.ones(len(opened.obs), dtype=bool)
        size_factors = None
        if scan.kind in (values.COUNTS, values.NON_INTEGER):
            kept = scan.totals > 0
            size_factors = scan.size_factors()[kept]
        _check_content(scan, kept, chosen, opened, transpose=transpose)
        notes += _drops(scan, kept)
        if not kept.all():
            roles = {name: role.keep(kept) for name, role in roles.items()}
            roles = {name: role for name, role in roles.items() if role.n_levels > 1}
        design = None
        if stated is not None:
            depth = None if size_factors is None else np.log(size_factors)
            design = formulas.design(stated, opened.obs.loc[kept], roles, depth)
        rng = np.random.default_rng([seed, 1])
        wanted = evidence.genes(len(opened.genes))
        panel = panels.choose(scan, chosen.mask, opened.genes, targets, rng, wanted)
        if panel.p < len(panel.expressed):
            notes.append(
                f"{panel.p:,} of {len(panel.expressed):,} varying regulators, the most "
                "over-dispersed, entered the network statistics."
            )
        panel, decoys = decoy_choice.choose(
            scan, chosen.mask, panel, np.random.default_rng([seed, 2])
        )
        splits = split_choice.draw(int(kept.sum()), roles, rng)
        return cls(
            name=opened.name,
            sha256=opened.digest(),
            n_obs=len(opened.obs),
            n_vars=len(opened.genes),
            kind=scan.kind,
            layer=layer,
            layer_guessed=counts is None,
            simulated=opened.simulated,
            genes=opened.genes,
            roles=roles,
            regulator=chosen.mask,
            regulator_source=chosen.source,
            notes=tuple(notes),
            scan=scan,
            kept=kept,
            size_factors=size_factors,
            panel=panel,
            decoys=decoys,
            splits=splits,
            matrix=matrix,
            engine=engine or Engine(),
            design=design,
            evidence=evidence.at(np.flatnonzero(kept)[splits.sample], kept),
            arms=arm_choice.draw(roles, np.random.default_rng([seed, 3])),
        )


def _check_names(source: Source) -> None:
    n, g = len(source.obs), len(source.genes)
    if n == 0 or g == 0:
        what = "observations" if n == 0 else "genes"
        raise InputError(f"{source.name} has no {what} ({n} × {g}).")
    shape = source.matrix("X").shape
    if shape != (n, g):
        raise InputError(
            f"{source.name}: X is {shape[0]} × {shape[1]}, but there are {n} observations "
            f"and {g} genes; write the file again."
        )
    _refuse_repeats(source.genes, "gene", "adata.var_names_make_unique()")
    _refuse_repeats(source.obs.index, "cell", "adata.obs_names_make_unique()")
    if n < thresholds.MIN_OBSERVATIONS:
        raise InputError(
            f"{source.name} has {n} observations; at least {thresholds.MIN_OBSERVATIONS} "
            "are needed for any statistic."
        )


def _refuse_repeats(names: pd.Index | np.ndarray, what: str, remedy: str) -> None:
    import pandas as pd

    index = pd.Index(names)
    repeated = index[index.duplicated()]
    if len(repeated):
        raise InputError(
            f"{len(repeated.unique())} {what} names occur more than once, for instance "
            f"{str(repeated[0])!r}; make them unique, with {remedy} for instance."
        )


def _values(source: Source, counts: str | None) -> tuple[str, Matrix, Scan, list[str]]:
    """The values to work on: the named counts, a counts layer that fits, or X."""

    def read(layer: str) -> tuple[Matrix, Scan]:
        matrix = source.matrix(layer)
        return matrix, values.scan(matrix, source.genes, source.obs.index, layer)

    if counts is not None:
        if counts != "X" and counts not in source.layers:
            near = suggest(counts, source.layers)
            hint = f"did you mean {near!r}?" if near else f"there are {['X', *source.layers]}"
            raise InputError(f"--counts: there is no layer {counts!r}; {hint}")
        matrix, scan = read(counts)
        _require_counts(scan, counts)
        return counts, matrix, scan, []
    notes = []
    for layer in _COUNT_LAYERS:
        if layer in source.layers:
            matrix, scan = read(layer)
            if scan.kind == values.COUNTS:
                note = f"Layer {layer!r} holds counts and was read instead of X (guessed)."
                return layer, matrix, scan, [*notes, note]
            notes.append(
                f"Layer {layer!r} holds {values.WORDS[scan.kind]}, not counts; X was read."
            )
    matrix, scan = read("X")
    notes.append(f"X holds {values.WORDS[scan.kind]} (guessed from the values).")
    return "X", matrix, scan, notes


def _require_counts(scan: Scan, layer: str) -> None:
    if scan.low.min() < 0:
        raise InputError(
            f"--counts {layer}: it holds negative values (lowest {scan.low.min():g}), "
            "so these are no counts; name the layer with raw counts."
        )
    if not scan.integer:
        raise InputError(
            f"--counts {layer}: it holds values that are not whole numbers, so these are no "
            "raw counts; name the layer with raw counts, or leave --counts out."
        )


def _check_content(
    scan: Scan,
    kept: np.ndarray,
    chosen: regulator_choice.Regulators,
    source: Source,
    *,
    transpose: bool,
) -> None:
    varies = scan.varies
    if not varies.any():
        raise InputError(f"{source.name}: no gene varies over the observations.")
    if kept.sum() < thresholds.MIN_OBSERVATIONS:
        raise InputError(
            f"{source.name}: {int(kept.sum())} observations have any count; at least "
            f"{thresholds.MIN_OBSERVATIONS} are needed."
        )
    found = int((chosen.mask & varies).sum())
    if found >= thresholds.MIN_REGULATORS:
        return
    refusal = regulator_choice.too_few(found, chosen.source)
    rows = regulator_choice.choose(
        source.obs.index.to_numpy(dtype=str), option=None, column=lambda name: None
    )
    if rows.mask.sum() > max(found, 2) and not transpose:
        refusal = InputError(f"{refusal} The rows look like genes: try --transpose.")
    raise refusal


def _drops(scan: Scan, kept: np.ndarray) -> list[str]:
    notes = []
    constant = int((~scan.varies).sum())
    if constant:
        notes.append(f"{constant:,} constant genes were dropped.")
    empty = int((~kept).sum())
    if empty:
        notes.append(f"{empty:,} observations without any count were left out.")
    return notes
