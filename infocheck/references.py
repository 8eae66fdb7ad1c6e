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
        key="patterson1971",
        authors="Patterson, H. D. and Thompson, R.",
        year=1971,
        title="Recovery of inter-block information when block sizes are unequal",
        venue="Biometrika 58:545-554",
    ),
    Reference(
        key="yang2010",
        authors="Yang, J. and others",
        year=2010,
        title="Common SNPs explain a large proportion of the heritability for human height",
        venue="Nature Genetics 42:565-569",
    ),
    Reference(
        key="efron2004",
        authors="Efron, B. and Hastie, T. and Johnstone, I. and Tibshirani, R.",
        year=2004,
        title="Least angle regression",
        venue="Annals of Statistics 32:407-499",
    ),
)

REFERENCES = {reference.key: reference for reference in _ALL}
