"""The papers behind the methods, cited by key; only those whose idea is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One bibliographic entry."""

    key: str
    authors: str
    year: int
    title: str
    venue: str

    @property
    def text(self) -> str:
        return f"{self.authors} ({self.year}). {self.title}. {self.venue}."

    @property
    def bibtex(self) -> str:
        kind = "article"
        return (
            f"@{kind}{{{self.key},\n  author = {{{self.authors}}},\n  year = {{{self.year}}},\n"
            f"  title = {{{self.title}}},\n  journal = {{{self.venue}}}\n}}"
        )


_ALL = (
    Reference(
        key="spearman1904",
        authors="Spearman, C.",
        year=1904,
        title="The proof and measurement of association between two things",
        venue="American Journal of Psychology 15:72-101",
    ),
    Reference(
        key="schafer2005",
        authors="Schäfer, J. and Strimmer, K.",
        year=2005,
        title="A shrinkage approach to large-scale covariance matrix estimation and "
        "implications for functional genomics",
        venue="Statistical Applications in Genetics and Molecular Biology 4:32",
    ),
    Reference(
        key="zhang2020",
        authors="Zhang, M. J. and Ntranos, V. and Tse, D.",
        year=2020,
        title="Determining sequencing depth in a single-cell RNA-seq experiment",
        venue="Nature Communications 11:774",
    ),
    Reference(
        key="schwanhausser2011",
        authors="Schwanhäusser, B. and others",
        year=2011,
        title="Global quantification of mammalian gene expression control",
        venue="Nature 473:337-342",
    ),
    Reference(
        key="quenouille1956",
        authors="Quenouille, M. H.",
        year=1956,
        title="Notes on bias in estimation",
        venue="Biometrika 43:353-360",
    ),
    Reference(
        key="wilson1927",
        authors="Wilson, E. B.",
        year=1927,
        title="Probable inference, the law of succession, and statistical inference",
        venue="Journal of the American Statistical Association 22:209-212",
    ),
    Reference(
        key="fisher1921",
        authors="Fisher, R. A.",
        year=1921,
        title="On the 'probable error' of a coefficient of correlation deduced from a small sample",
        venue="Metron 1:3-32",
    ),
    Reference(
        key="bartlett1935",
        authors="Bartlett, M. S.",
        year=1935,
        title="Some aspects of the time-correlation problem in regard to tests of significance",
        venue="Journal of the Royal Statistical Society 98:536-543",
    ),
    Reference(
        key="moulton1986",
        authors="Moulton, B. R.",
        year=1986,
        title="Random group effects and the precision of regression estimates",
        venue="Journal of Econometrics 32:385-397",
    ),
)

REFERENCES = {reference.key: reference for reference in _ALL}
