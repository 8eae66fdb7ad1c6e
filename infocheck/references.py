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
        key="spearman1910",
        authors="Spearman, C.",
        year=1910,
        title="Correlation calculated from faulty data",
        venue="British Journal of Psychology 3:271-295",
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
        key="hoerl1970",
        authors="Hoerl, A. E. and Kennard, R. W.",
        year=1970,
        title="Ridge regression: biased estimation for nonorthogonal problems",
        venue="Technometrics 12:55-67",
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
        key="laird1978",
        authors="Laird, N.",
        year=1978,
        title="Nonparametric maximum likelihood estimation of a mixing distribution",
        venue="Journal of the American Statistical Association 73:805-811",
    ),
    Reference(
        key="halko2011",
        authors="Halko, N. and Martinsson, P. G. and Tropp, J. A.",
        year=2011,
        title="Finding structure with randomness: probabilistic algorithms for constructing "
        "approximate matrix decompositions",
        venue="SIAM Review 53:217-288",
    ),
    Reference(
        key="fisher1921",
        authors="Fisher, R. A.",
        year=1921,
        title="On the 'probable error' of a coefficient of correlation deduced from a small sample",
        venue="Metron 1:3-32",
    ),
    Reference(
        key="marchenko1967",
        authors="Marchenko, V. A. and Pastur, L. A.",
        year=1967,
        title="Distribution of eigenvalues for some sets of random matrices",
        venue="Mathematics of the USSR-Sbornik 1:457-483",
    ),
    Reference(
        key="marquardt1970",
        authors="Marquardt, D. W.",
        year=1970,
        title="Generalized inverses, ridge regression, biased linear estimation, and nonlinear "
        "estimation",
        venue="Technometrics 12:591-612",
    ),
    Reference(
        key="zhao2006",
        authors="Zhao, P. and Yu, B.",
        year=2006,
        title="On model selection consistency of Lasso",
        venue="Journal of Machine Learning Research 7:2541-2563",
    ),
    Reference(
        key="shannon1948",
        authors="Shannon, C. E.",
        year=1948,
        title="A mathematical theory of communication",
        venue="Bell System Technical Journal 27:379-423, 623-656",
    ),
    Reference(
        key="fano1961",
        authors="Fano, R. M.",
        year=1961,
        title="Transmission of information: a statistical theory of communications",
        venue="MIT Press",
    ),
    Reference(
        key="efron2004",
        authors="Efron, B. and Hastie, T. and Johnstone, I. and Tibshirani, R.",
        year=2004,
        title="Least angle regression",
        venue="Annals of Statistics 32:407-499",
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
    Reference(
        key="benjamini1995",
        authors="Benjamini, Y. and Hochberg, Y.",
        year=1995,
        title="Controlling the false discovery rate: a practical and powerful approach to "
        "multiple testing",
        venue="Journal of the Royal Statistical Society B 57:289-300",
    ),
    Reference(
        key="lander1988",
        authors="Lander, E. S. and Waterman, M. S.",
        year=1988,
        title="Genomic mapping by fingerprinting random clones: a mathematical analysis",
        venue="Genomics 2:231-239",
    ),
    Reference(
        key="barber2015",
        authors="Barber, R. F. and Candès, E. J.",
        year=2015,
        title="Controlling the false discovery rate via knockoffs",
        venue="Annals of Statistics 43:2055-2085",
    ),
    Reference(
        key="candes2018",
        authors="Candès, E. and Fan, Y. and Janson, L. and Lv, J.",
        year=2018,
        title="Panning for gold: 'model-X' knockoffs for high dimensional controlled variable "
        "selection",
        venue="Journal of the Royal Statistical Society B 80:551-577",
    ),
    Reference(
        key="spector2022",
        authors="Spector, A. and Janson, L.",
        year=2022,
        title="Powerful knockoffs via minimizing reconstructability",
        venue="Annals of Statistics 50:252-276",
    ),
    Reference(
        key="marbach2012",
        authors="Marbach, D. and others",
        year=2012,
        title="Wisdom of crowds for robust gene network inference",
        venue="Nature Methods 9:796-804",
    ),
    Reference(
        key="strona2014",
        authors="Strona, G. and Nappo, D. and Boccacci, F. and Fattorini, S. and "
        "San-Miguel-Ayanz, J.",
        year=2014,
        title="A fast and unbiased procedure to randomize ecological binary matrices with fixed "
        "row and column totals",
        venue="Nature Communications 5:4114",
    ),
    Reference(
        key="kernfeld2024",
        authors="Kernfeld, E. and Keener, R. and Cahan, P. and Battle, A.",
        year=2024,
        title="Transcriptome data are insufficient to control false discoveries in regulatory "
        "network inference",
        venue="Cell Systems 15:709-724",
    ),
    Reference(
        key="geurts2006",
        authors="Geurts, P. and Ernst, D. and Wehenkel, L.",
        year=2006,
        title="Extremely randomized trees",
        venue="Machine Learning 63:3-42",
    ),
    Reference(
        key="strimmer2008",
        authors="Strimmer, K.",
        year=2008,
        title="A unified approach to false discovery rate estimation",
        venue="BMC Bioinformatics 9:303",
    ),
    Reference(
        key="simpson1951",
        authors="Simpson, E. H.",
        year=1951,
        title="The interpretation of interaction in contingency tables",
        venue="Journal of the Royal Statistical Society B 13:238-241",
    ),
    Reference(
        key="cochran1954",
        authors="Cochran, W. G.",
        year=1954,
        title="The combination of estimates from different experiments",
        venue="Biometrics 10:101-129",
    ),
    Reference(
        key="dersimonian1986",
        authors="DerSimonian, R. and Laird, N.",
        year=1986,
        title="Meta-analysis in clinical trials",
        venue="Controlled Clinical Trials 7:177-188",
    ),
    Reference(
        key="cinelli2020",
        authors="Cinelli, C. and Hazlett, C.",
        year=2020,
        title="Making sense of sensitivity: extending omitted variable bias",
        venue="Journal of the Royal Statistical Society B 82:39-67",
    ),
    Reference(
        key="buttner2019",
        authors="Büttner, M. and Miao, Z. and Wolf, F. A. and Teichmann, S. A. and Theis, F. J.",
        year=2019,
        title="A test metric for assessing single-cell RNA-seq batch correction",
        venue="Nature Methods 16:43-49",
    ),
    Reference(
        key="phipson2010",
        authors="Phipson, B. and Smyth, G. K.",
        year=2010,
        title="Permutation P-values should never be zero: calculating exact P-values when "
        "permutations are randomly drawn",
        venue="Statistical Applications in Genetics and Molecular Biology 9:39",
    ),
    Reference(
        key="horn1965",
        authors="Horn, J. L.",
        year=1965,
        title="A rationale and test for the number of factors in factor analysis",
        venue="Psychometrika 30:179-185",
    ),
    Reference(
        key="hong2020",
        authors="Hong, D. and Sheng, Y. and Dobriban, E.",
        year=2020,
        title="Selecting the number of components in PCA via random signflips",
        venue="arXiv:2012.02985",
    ),
    Reference(
        key="dobriban2019",
        authors="Dobriban, E. and Owen, A. B.",
        year=2019,
        title="Deterministic parallel analysis: an improved method for selecting factors and "
        "principal components",
        venue="Journal of the Royal Statistical Society Series B 81:163-183",
    ),
    Reference(
        key="paul2007",
        authors="Paul, D.",
        year=2007,
        title="Asymptotics of sample eigenstructure for a large dimensional spiked covariance "
        "model",
        venue="Statistica Sinica 17:1617-1642",
    ),
    Reference(
        key="henderson1953",
        authors="Henderson, C. R.",
        year=1953,
        title="Estimation of variance and covariance components",
        venue="Biometrics 9:226-252",
    ),
    Reference(
        key="bates2015",
        authors="Bates, D. and Mächler, M. and Bolker, B. and Walker, S.",
        year=2015,
        title="Fitting linear mixed-effects models using lme4",
        venue="Journal of Statistical Software 67(1):1-48",
    ),
    Reference(
        key="hoffman2016",
        authors="Hoffman, G. E. and Schadt, E. E.",
        year=2016,
        title="variancePartition: interpreting drivers of variation in complex gene expression "
        "studies",
        venue="BMC Bioinformatics 17:483",
    ),
    Reference(
        key="uhlenbeck1930",
        authors="Uhlenbeck, G. E. and Ornstein, L. S.",
        year=1930,
        title="On the theory of the Brownian motion",
        venue="Physical Review 36:823-841",
    ),
    Reference(
        key="kendall1954",
        authors="Kendall, M. G.",
        year=1954,
        title="Note on bias in the estimation of autocorrelation",
        venue="Biometrika 41:403-404",
    ),
    Reference(
        key="nickell1981",
        authors="Nickell, S.",
        year=1981,
        title="Biases in dynamic models with fixed effects",
        venue="Econometrica 49:1417-1426",
    ),
    Reference(
        key="fieller1954",
        authors="Fieller, E. C.",
        year=1954,
        title="Some problems in interval estimation",
        venue="Journal of the Royal Statistical Society Series B 16:175-185",
    ),
    Reference(
        key="gasser1986",
        authors="Gasser, T. and Sroka, L. and Jennen-Steinmetz, C.",
        year=1986,
        title="Residual variance and residual pattern in nonlinear regression",
        venue="Biometrika 73:625-633",
    ),
    Reference(
        key="welch1947",
        authors="Welch, B. L.",
        year=1947,
        title="The generalization of 'Student's' problem when several different population "
        "variances are involved",
        venue="Biometrika 34:28-35",
    ),
    Reference(
        key="rao1945",
        authors="Rao, C. R.",
        year=1945,
        title="Information and the accuracy attainable in the estimation of statistical parameters",
        venue="Bulletin of the Calcutta Mathematical Society 37:81-91",
    ),
    Reference(
        key="granger1969",
        authors="Granger, C. W. J.",
        year=1969,
        title="Investigating causal relations by econometric models and cross-spectral methods",
        venue="Econometrica 37:424-438",
    ),
    Reference(
        key="elowitz2002",
        authors="Elowitz, M. B. and Levine, A. J. and Siggia, E. D. and Swain, P. S.",
        year=2002,
        title="Stochastic gene expression in a single cell",
        venue="Science 297:1183-1186",
    ),
    Reference(
        key="ahlmanneltze2025",
        authors="Ahlmann-Eltze, C. and Huber, W. and Anders, S.",
        year=2025,
        title="Deep-learning-based gene perturbation effect prediction does not yet outperform "
        "simple linear baselines",
        venue="Nature Methods 22:1657-1661",
    ),
    Reference(
        key="stephens2017",
        authors="Stephens, M.",
        year=2017,
        title="False discovery rates: a new deal",
        venue="Biostatistics 18:275-294",
    ),
    Reference(
        key="szekely2013",
        authors="Székely, G. J. and Rizzo, M. L.",
        year=2013,
        title="Energy statistics: A class of statistics based on distances",
        venue="Journal of Statistical Planning and Inference 143:1249-1272",
    ),
    Reference(
        key="peidli2024",
        authors="Peidli, S. and Green, T. D. and Shen, C. and others",
        year=2024,
        title="scPerturb: harmonized single-cell perturbation data",
        venue="Nature Methods 21:531-540",
    ),
    Reference(
        key="papalexi2021",
        authors="Papalexi, E. and Mimitou, E. P. and Butler, A. W. and others",
        year=2021,
        title="Characterizing the molecular regulation of inhibitory immune checkpoints with "
        "multimodal single-cell screens",
        venue="Nature Genetics 53:322-331",
    ),
    Reference(
        key="johnson1984",
        authors="Johnson, W. B. and Lindenstrauss, J.",
        year=1984,
        title="Extensions of Lipschitz mappings into a Hilbert space",
        venue="Contemporary Mathematics 26:189-206",
    ),
    Reference(
        key="roy2007",
        authors="Roy, O. and Vetterli, M.",
        year=2007,
        title="The effective rank: a measure of effective dimensionality",
        venue="Proceedings of the 15th European Signal Processing Conference, 606-610",
    ),
    Reference(
        key="satterthwaite1946",
        authors="Satterthwaite, F. E.",
        year=1946,
        title="An approximate distribution of estimates of variance components",
        venue="Biometrics Bulletin 2:110-114",
    ),
    Reference(
        key="bergsma2013",
        authors="Bergsma, W.",
        year=2013,
        title="A bias-correction for Cramér's V and Tschuprow's T",
        venue="Journal of the Korean Statistical Society 42:323-328",
    ),
)

REFERENCES = {reference.key: reference for reference in _ALL}
