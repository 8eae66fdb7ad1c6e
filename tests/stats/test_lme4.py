"""Variance components against lme4, where R has it; one R process fits every gene.

lme4 searches over the same deviance gene by gene (Bates, Mächler, Bolker & Walker 2015).
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from infocheck.stats.variance import Normal
from infocheck.stats.variance_components import Absorbed, moments, reml

GENES = 50
R = """
suppressMessages(library(lme4))
folder <- commandArgs(TRUE)[1]
designs <- readLines(file.path(folder, "designs.txt"))
control <- lmerControl()
for (line in designs) {
  parts <- strsplit(line, "\\t")[[1]]
  rows <- read.csv(file.path(folder, paste0(parts[1], ".csv")))
  for (name in strsplit(parts[2], ",")[[1]]) rows[[name]] <- factor(rows[[name]])
  factors <- strsplit(parts[3], ",")[[1]]
  genes <- grep("^gene", names(rows), value = TRUE)
  # The steps of lmer one by one: the formula is read once, each search starts anew.
  parsed <- lFormula(as.formula(paste("gene0", parts[4])), rows, REML = TRUE, control = control)
  found <- t(sapply(genes, function(gene) {
    parsed$fr[["gene0"]] <- rows[[gene]]
    devfun <- do.call(mkLmerDevfun, parsed)
    model <- mkMerMod(environment(devfun), optimizeLmer(devfun, calc.derivs = FALSE),
                      parsed$reTrms, fr = parsed$fr)
    x <- scale(getME(model, "X"), scale = FALSE)
    fit <- sum((x %*% fixef(model))^2) - sum(crossprod(x) * as.matrix(vcov(model)))
    c(unlist(lapply(VarCorr(model)[factors], function(v) v[1, 1])), sigma(model)^2,
      max(fit, 0) / (nrow(x) - 1), REMLcrit(model))
  }))
  write.table(found, file.path(folder, paste0(parts[1], ".out")), row.names = FALSE,
              col.names = FALSE)
}
"""


EVEN = ("balanced", "crossed", "nested", "one", "fixed")
UNEVEN = ("unbalanced", "correlated")
DESIGNS = EVEN + UNEVEN


class Design(NamedTuple):
    """Rows of a study; ``random`` and ``fixed`` hold level codes, ``covariate`` numbers."""

    random: dict[str, np.ndarray]
    fixed: dict[str, np.ndarray]
    covariate: np.ndarray | None

    @property
    def rows(self) -> int:
        return len(next(iter(self.random.values())))


def drawn(name: str) -> tuple[Design, np.ndarray]:
    """A design and its genes; components from nothing to most of the variance."""
    rng = np.random.default_rng(sum(map(ord, name)))
    fixed, covariate, n = {}, None, 960
    if name == "balanced":
        batch, donor = np.divmod(np.arange(n) % 96, 12)
    elif name in UNEVEN:  # levels whose sizes differ tenfold
        batch = rng.choice(8, p=rng.dirichlet(np.full(8, 2)), size=n)
        donor = rng.choice(12, p=rng.dirichlet(np.full(12, 2)), size=n)
    else:
        batch, donor = rng.integers(8, size=n), rng.integers(12, size=n)
    if name == "correlated":
        donor = np.where(rng.random(n) < 0.4, batch, donor)
    if name == "nested":
        donor = rng.integers(48, size=n)
        batch = donor % 8
    random = {"donor": donor} if name == "one" else {"batch": batch, "donor": donor}
    if name == "fixed":
        fixed, covariate = {"condition": rng.integers(3, size=n)}, rng.normal(size=n)
    shares = rng.dirichlet(np.r_[np.full(len(random), 0.7), 2], size=GENES).T
    y = np.sqrt(shares[-1]) * rng.normal(size=(n, GENES))
    for codes, share in zip(random.values(), shares, strict=False):
        y += np.sqrt(share) * rng.normal(size=(codes.max() + 1, GENES))[codes]
    if covariate is not None:
        y += np.outer(covariate, rng.normal(size=GENES)) / 2
        y += rng.normal(size=(3, GENES))[fixed["condition"]] / 2
    return Design(random, fixed, covariate), y


def written(folder: Path, name: str) -> str:
    """Write the rows of a design; its line for R."""
    design, y = drawn(name)
    columns = {**design.random, **design.fixed}
    if design.covariate is not None:
        columns["covariate"] = design.covariate
    columns |= {f"gene{k}": y[:, k] for k in range(GENES)}
    np.savetxt(
        folder / f"{name}.csv",
        np.column_stack(list(columns.values())),
        fmt="%.17g",
        delimiter=",",
        header=",".join(columns),
        comments="",
    )
    terms = ["1", *design.fixed, *(["covariate"] if design.covariate is not None else [])]
    terms += [f"(1 | {factor})" for factor in design.random]
    coded = ",".join([*design.random, *design.fixed])
    return "\t".join([name, coded, ",".join(design.random), "~ " + " + ".join(terms)])


@functools.cache
def without_lme4() -> str:
    """Why lme4 cannot be asked; empty where it can."""
    if shutil.which("Rscript") is None:
        return "NOT COMPARED WITH lme4: there is no Rscript on PATH"
    asked = subprocess.run(
        ["Rscript", "-e", "suppressMessages(library(lme4))"], capture_output=True, check=False
    )
    return "NOT COMPARED WITH lme4: R has no package lme4" if asked.returncode else ""


@pytest.fixture(scope="module")
def lme4(tmp_path_factory):
    """Components of all genes of all designs as lme4 finds them, (columns, genes) by design."""
    if without_lme4():
        pytest.skip(without_lme4())
    folder = tmp_path_factory.mktemp("lme4")
    lines = [written(folder, name) for name in DESIGNS]
    (folder / "designs.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "fit.R").write_text(R, encoding="utf-8")
    ran = subprocess.run(
        ["Rscript", str(folder / "fit.R"), str(folder)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return {name: np.loadtxt(folder / f"{name}.out").T for name in DESIGNS}


def ours(name: str) -> Absorbed:
    design, y = drawn(name)

    def indicators(codes: np.ndarray) -> np.ndarray:
        return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)

    parts = [indicators(codes) for codes in (*design.fixed.values(), *design.random.values())]
    if design.covariate is not None:
        parts.insert(0, design.covariate[:, None])
    x = np.hstack(parts)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    sizes = [codes.max() + 1 for codes in design.random.values()]
    ends = x.shape[1] - np.cumsum([0, *sizes[::-1]])[::-1]
    columns = {
        factor: np.arange(start, stop)
        for factor, start, stop in zip(design.random, ends[:-1], ends[1:], strict=True)
    }
    normal = Normal(len(y), x.T @ x, x.T @ y, (y * y).sum(axis=0))
    return Absorbed.of(normal, columns, np.arange(ends[0]))


@pytest.mark.parametrize("name", DESIGNS)
def test_reml_equals_lme4(name, lme4):
    """Fractions of every gene within .01, and a deviance that is never above theirs.

    Deviances differ by a constant of the design, which is taken from the genes at large.
    """
    theirs = lme4[name]
    found = reml(ours(name))
    f = len(found.names)
    assert found.converged.all()
    shares = theirs[: f + 1] / theirs[: f + 1].sum(axis=0)
    assert found.fractions() == pytest.approx(shares, abs=0.01)
    total = theirs[: f + 2].sum(axis=0)
    assert found.fractions(fixed=True) == pytest.approx(theirs[: f + 2] / total, abs=0.01)
    gap = found.deviance - theirs[f + 2]
    gap = gap - np.median(gap)
    assert gap.max() < 1e-4
    assert np.median(np.abs(gap)) < 1e-5


@pytest.mark.parametrize("name", EVEN)
def test_moments_are_near_reml_and_lme4(name, lme4):
    """Median difference of fractions at most .01, and .05 for 95 % of the genes.

    Rows fall on levels by chance: 8 batches, 12 donors or 48 within the batches, 960 rows.
    """
    work = ours(name)
    found = moments(work).fractions()
    theirs = lme4[name][: len(found)]
    for other in (reml(work).fractions(), theirs / theirs.sum(axis=0)):
        difference = np.abs(found - other).max(axis=0)
        assert np.median(difference) <= 0.01
        assert np.quantile(difference, 0.95) <= 0.05


@pytest.mark.parametrize("name", UNEVEN)
def test_uneven_levels_set_moments_and_reml_apart(name):
    """They weigh levels otherwise: differences of .03 to .06 are usual where sizes of levels
    differ tenfold, more where factors are correlated. Most stay below the standard error."""
    work = ours(name)
    found = reml(work)
    difference = np.abs(moments(work).fractions() - found.fractions()).max(axis=0)
    assert 0.01 < np.median(difference) < 0.1
    assert np.mean(difference < found.fraction_errors.max(axis=0)) > 0.6
