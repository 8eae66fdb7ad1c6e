"""Names of antibodies: which gene they are against, and which of them measure something else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

# What an antibody measures.
LEVEL, MODIFIED, ISOTYPE = "level", "modified form", "isotype control"

# A phosphorylated, cleaved, acetylated or methylated form: Akt_pS473, cleaved Caspase-7.
_MODIFICATION = re.compile(
    r"(?<![A-Za-z0-9])(p[STY]\d+|(?i:phospho|cleaved))|K\d+(me[123]?|ac)(?![A-Za-z0-9])|^p[A-Z]{3}"
)
_PHOSPHO_TAIL = re.compile(r"[-_ .](p[STY]\d+|phospho|cleaved).*$", re.IGNORECASE)
# What follows or leads the name of the protein in tables of antibody tags and of RPPA.
_TAILS = re.compile(
    r"([-_ .](totalseq\w*|adt|tsb|tsa|tsc|prot(ein)?|antibody|ab)|[-_][MRG][-_][VCEQ])+$",
    re.IGNORECASE,
)
_HEADS = re.compile(r"^(anti|ab|adt|prot|hu|ms|human|mouse)[-_. ]+", re.IGNORECASE)
_ISOTYPE_WORDS = re.compile(
    r"isotype|iso[-_ ]?(ctrl|control)|ig[gm].*(ctrl|control)|control.*ig[gm]"
)
_ISOTYPE_NAMES = re.compile(
    r"((mouse|rat|hamster|armenian|syrian|rabbit|goat|ms|rt|m|r)[ ]*)*igg ?\d[a-d]?"
    r"( ?(k|κ|λ|kappa|lambda|totalseq\w*|adt))*|"
    r"(mouse|rat|hamster|rabbit|goat)[ ]*ig[gma]\d?[a-d]?( ?(k|κ|λ|kappa|lambda))*"
)
# Isoforms of CD45: total mRNA of the gene does not tell them apart.
_ISOFORMS = frozenset({"cd45ra", "cd45rb", "cd45rc", "cd45ro", "b220", "cd45r", "cd45rb220"})

# Common names, in lower case without signs, and symbols of HGNC; older symbols after a bar.
_SURFACE = """
cd3 CD3E; cd3e CD3E; cd8 CD8A; cd8a CD8A; cd8b CD8B; cd10 MME; cd11a ITGAL; cd11b ITGAM;
cd11c ITGAX; cd13 ANPEP; cd16 FCGR3A; cd18 ITGB2; cd20 MS4A1; cd21 CR2; cd23 FCER2; cd25 IL2RA;
cd26 DPP4; cd29 ITGB1; cd30 TNFRSF8; cd31 PECAM1; pecam PECAM1; cd32 FCGR2A; cd35 CR1;
cd39 ENTPD1; cd40l CD40LG; cd41 ITGA2B; cd42b GP1BA; cd43 SPN; cd45 PTPRC; cd45ra PTPRC;
cd45rb PTPRC; cd45rc PTPRC; cd45ro PTPRC; b220 PTPRC; cd45r PTPRC; cd45rb220 PTPRC; cd49a ITGA1;
cd49b ITGA2; cd49c ITGA3; cd49d ITGA4; cd49e ITGA5; cd49f ITGA6; cd50 ICAM3; cd51 ITGAV;
cd54 ICAM1; cd56 NCAM1; ncam NCAM1; cd61 ITGB3; cd62e SELE; cd62l SELL; cd62p SELP; cd64 FCGR1A;
cd66b CEACAM8; cd71 TFRC; cd73 NT5E; cd85j LILRB1; cd88 C5AR1; cd89 FCAR; cd90 THY1; cd94 KLRD1;
cd95 FAS; cd98 SLC3A2; cd102 ICAM2; cd103 ITGAE; cd104 ITGB4; cd105 ENG; cd106 VCAM1;
cd107a LAMP1; cd107b LAMP2; cd111 NECTIN1; cd112 NECTIN2; cd114 CSF3R; cd115 CSF1R; cd116 CSF2RA;
cd117 KIT; ckit KIT; cd119 IFNGR1; cd120a TNFRSF1A; cd120b TNFRSF1B; cd122 IL2RB; cd123 IL3RA;
cd124 IL4R; cd126 IL6R; cd127 IL7R; il7ra IL7R; il7ralpha IL7R; cd130 IL6ST; cd132 IL2RG;
cd133 PROM1; cd134 TNFRSF4; ox40 TNFRSF4; cd135 FLT3; cd137 TNFRSF9; 41bb TNFRSF9; cd138 SDC1;
cd140a PDGFRA; cd140b PDGFRB; cd141 THBD; cd144 CDH5; vecadherin CDH5; cd146 MCAM; cd147 BSG;
cd150 SLAMF1; cd152 CTLA4; cd154 CD40LG; cd155 PVR; cd161 KLRB1; cd162 SELPLG; cd166 ALCAM;
cd169 SIGLEC1; cd172a SIRPA; cd178 FASLG; cd183 CXCR3; cd184 CXCR4; cd185 CXCR5; cd186 CXCR6;
cd191 CCR1; cd192 CCR2; cd193 CCR3; cd194 CCR4; cd195 CCR5; cd196 CCR6; cd197 CCR7; cd206 MRC1;
cd221 IGF1R; cd223 LAG3; cd224 GGT1; cd229 LY9; cd230 PRNP; cd235a GYPA; cd252 TNFSF4;
cd254 TNFSF11; cd258 TNFSF14; cd262 TNFRSF10B; cd267 TNFRSF13B; cd268 TNFRSF13C; cd269 TNFRSF17;
bcma TNFRSF17; cd270 TNFRSF14; cd271 NGFR; cd272 BTLA; cd273 PDCD1LG2; pdl2 PDCD1LG2; pdl1 CD274;
b7h1 CD274; cd275 ICOSLG; b7h3 CD276; cd278 ICOS; cd279 PDCD1; pd1 PDCD1; cd303 CLEC4C;
cd304 NRP1; cd305 LAIR1; cd309 KDR; cd314 KLRK1; nkg2d KLRK1; cd317 BST2; cd319 SLAMF7;
cd324 CDH1; cd325 CDH2; cd326 EPCAM; cd328 SIGLEC7; cd335 NCR1; nkp46 NCR1; cd336 NCR2; cd337 NCR3;
cd338 ABCG2; cd340 ERBB2; cd352 SLAMF6; cd357 TNFRSF18; gitr TNFRSF18; cd366 HAVCR2; tim3 HAVCR2;
cd370 CLEC9A; hladr HLA-DRA; hlaabc HLA-A; hlaa HLA-A; fceria FCER1A; fcer1a FCER1A;
igd IGHD; igm IGHM; podoplanin PDPN
"""
_INSIDE = """
4ebp1 EIF4EBP1; 53bp1 TP53BP1; 1433beta YWHAB; 1433epsilon YWHAE; 1433zeta YWHAZ; acc ACACA;
acc1 ACACA; akt AKT1; ampk PRKAA1; ampkalpha PRKAA1; androgenreceptor AR; annexini ANXA1;
annexin1 ANXA1; annexinvii ANXA7; araf ARAF; bak BAK1; bcl2 BCL2; bclxl BCL2L1; beclin BECN1;
betacatenin CTNNB1; bcatenin CTNNB1; alphacatenin CTNNA1; bim BCL2L11; blimp1 PRDM1; braf BRAF;
caspase3 CASP3; caspase7 CASP7; caspase8 CASP8; caspase9 CASP9; caveolin1 CAV1; cfos FOS;
chk1 CHEK1; chk2 CHEK2; cjun JUN; claudin7 CLDN7; cmet MET; cmyb MYB; cmyc MYC; collagenvi COL6A1;
craf RAF1; cyclinb1 CCNB1; cyclind1 CCND1; cycline1 CCNE1; cycline2 CCNE2; dj1 PARK7;
ecadherin CDH1; eralpha ESR1; era ESR1; erbeta ESR2; erk2 MAPK1; erk1 MAPK3; fibronectin FN1;
foxo3a FOXO3; glucocorticoidreceptor NR3C1; gsk3alpha GSK3A; gsk3beta GSK3B; her2 ERBB2;
her3 ERBB3; hsp70 HSPA1A; ikaros IKZF1; helios IKZF2; aiolos IKZF3; jnk1 MAPK8; jnk2 MAPK9;
kras KRAS; ku80 XRCC5; lbk1 STK11; lkb1 STK11; mek1 MAP2K1; mek2 MAP2K2; mig6 ERRFI1;
mre11 MRE11|MRE11A; ncadherin CDH2; nfkbp65 RELA; p65 RELA; nfkbp50 NFKB1; oct4 POU5F1;
p110alpha PIK3CA; pi3kp110alpha PIK3CA; pi3kp85 PIK3R1; p16 CDKN2A; p21 CDKN1A; p27 CDKN1B;
p38 MAPK14; p38mapk MAPK14; p53 TP53; p70s6k RPS6KB1; p90rsk RPS6KA1; pai1 SERPINE1;
paxillin PXN; pcadherin CDH3; pkcalpha PRKCA; pkcdelta PRKCD; pr PGR; pras40 AKT1S1;
progesteronereceptor PGR; pu1 SPI1; rb RB1; rorgt RORC; rorgammat RORC; s6 RPS6; scd1 SCD;
shc SHC1; stat5alpha STAT5A; stat5a STAT5A; stathmin STMN1; tbet TBX21; transglutaminase TGM2;
tuberin TSC2; vegfr2 KDR; yap YAP1; yb1 YBX1
"""


def _read(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for entry in text.replace("\n", " ").split(";"):
        name, symbols = entry.split()
        yield name, tuple(symbols.split("|"))


ALIASES: Mapping[str, tuple[str, ...]] = dict([*_read(_SURFACE), *_read(_INSIDE)])


def form(name: str) -> str:
    """What an antibody of this name measures: a level, a modified form, or background.

    Modified forms are phosphorylated, cleaved or acetylated ones, and isoforms of CD45.
    """
    text = " ".join(re.split(r"[-_. ]+", name.strip().lower()))
    if _ISOTYPE_WORDS.search(text) or _ISOTYPE_NAMES.fullmatch(text):
        return ISOTYPE
    isoform = any(_plain(part) in _ISOFORMS for part in _parts(name))
    return MODIFIED if isoform or _MODIFICATION.search(name) else LEVEL


def symbols(name: str) -> tuple[str, ...]:
    """Symbols of genes that an antibody of this name may be against, the likeliest first.

    Empty for isotype controls and for names that are not known. Common names of surface
    proteins (CD numbers) and of antibodies against signalling proteins; a name in brackets is
    tried after the one before it.
    """
    if form(name) == ISOTYPE:
        return ()
    found: list[str] = []
    for part in _parts(name):
        found += ALIASES.get(_plain(part), ())
    return tuple(dict.fromkeys(found))


def plain_names(name: str) -> tuple[str, ...]:
    """The parts of a name in lower case without signs, to be held against symbols of genes."""
    return tuple(dict.fromkeys(_plain(part) for part in _parts(name)))


def _parts(name: str) -> Iterable[str]:
    """The name without what surrounds it, the part before brackets, and the one inside."""
    bare = _PHOSPHO_TAIL.sub("", _TAILS.sub("", _HEADS.sub("", name.strip())))
    outer, _, inner = bare.partition("(")
    return [part for part in (bare.replace("(", " "), outer, inner.rstrip(") ")) if part.strip()]


def _plain(text: str) -> str:
    greek = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon"}
    for sign, letters in greek.items():
        text = text.replace(sign, letters)
    return re.sub(r"[^a-z0-9]", "", text.lower())
