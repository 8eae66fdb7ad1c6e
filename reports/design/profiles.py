"""Derive the systems that come with the package from data sets.

    python reports/design/profiles.py DATA_FOLDER --out infocheck/planning/profiles

Only summaries of a few numbers leave this script: means, spreads and slopes over genes.
What the data sets cannot give is taken from a paper or stands as an assumed range; every
field says which. No intraclass correlation rests on fewer than six donors.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from anndata import read_h5ad

from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.planning import pilot, system
from infocheck.planning.system import FIELDS, INTENSITY, READS, UMIS, Field, System
from infocheck.stats import clustering

Fields = dict[str, Field]


def measured(folder: Path, name: str, **roles: str) -> tuple[Dataset, System]:
    """A data set measured like any pilot."""
    data = Dataset.open(folder / f"{name}.h5ad", **roles)
    data = data.with_moments(Moments.of(data))
    return data, pilot.measure(data)


def across(systems: list[System], names: list[str], why: str) -> Fields:
    """Median over data sets, and their range: larger than what one of them shows."""
    found = {}
    for name in names:
        fields = [one.fields[name] for one in systems]
        values = [one.central for one in fields]
        low = min(min(values), *(one.low for one in fields))
        high = max(max(values), *(one.high for one in fields))
        said = "; ".join(f"{s.name} {v:.2f}" for s, v in zip(systems, values, strict=True))
        found[name] = Field(low, float(np.median(values)), high, "measured", f"{said} ({why})")
    return found


def finished(one: System) -> System:
    """Sources by the names of the data sets, without the ending of files."""
    named = {
        name: replace(value, source=value.source.replace(".h5ad", ""))
        for name, value in one.fields.items()
    }
    return replace(one, fields=named)


def assumed(name: str, low: float, central: float, high: float, why: str) -> Fields:
    return {name: Field(low, central, high, "assumed", why)}


def cited(name: str, low: float, central: float, high: float, why: str) -> Fields:
    return {name: Field(low, central, high, "cited", why)}


def at_share(one: System, who: str, share: float) -> System:
    """The same line of variation, read at another log share."""
    fields = dict(one.fields)
    step = share - fields[f"{who}_log_share"].central
    rise = fields[f"{who}_log_cv2_slope"].central * step
    old = fields[f"{who}_log_cv2"]
    fields[f"{who}_log_cv2"] = Field(
        old.low + rise, old.central + rise, old.high + rise, old.basis, old.source
    )
    return System(**{**vars(one), "fields": fields})


def replicate_agreement(folder: Path, name: str, column: str, within: str | None) -> np.ndarray:
    """Intraclass correlation of every gene by a column of obs; time taken out if named."""
    data = read_h5ad(folder / f"{name}.h5ad")
    values = np.asarray(data.X, dtype=float)
    values = values - values.mean(axis=0)
    if within:
        for level in data.obs[within].unique():
            rows = (data.obs[within] == level).to_numpy()
            values[rows] -= values[rows].mean(axis=0)
    codes = data.obs[column].astype(str).factorize()[0]
    levels = codes.max() + 1
    total = np.stack([values[codes == level].sum(axis=0) for level in range(levels)])
    n = np.bincount(codes).astype(float)
    icc = clustering.intraclass_correlation(n, total, (values**2).sum(axis=0))
    return icc, data.var["is_regulator"].to_numpy(), levels


def logit(share: np.ndarray | float) -> np.ndarray | float:
    return np.log(share / (1 - share))


def human_pbmc_10x(folder: Path) -> System:
    """Two data sets with all genes, and one with labelled cell types for variation within."""
    all_genes = [
        measured(folder, name)[1] for name in ("kang_pbmc_ifnb_harmony", "citefuse_pbmc_eccite")
    ]
    within = measured(folder, "kang_pbmc_ifnb_donors")[1]
    fields: Fields = {}
    for who in ("regulator", "target"):
        levels = [f"{who}_log_share", f"{who}_log_share_sd"]
        fields |= across(all_genes, levels, "all genes seen in 1% of cells or more")
        share = fields[f"{who}_log_share"].central
        three = [at_share(one, who, share) for one in (*all_genes, within)]
        variation = [f"{who}_log_cv2", f"{who}_log_cv2_slope", f"{who}_log_cv2_sd"]
        why = "the first two over all cells, the last within cell types"
        fields |= across(three, variation, why)
    fields |= across([within], ["regulator_r2"], "cell types pooled")
    fields |= across([all_genes[0], within], ["regulator_correlation"], "cell types pooled")
    fields |= assumed(
        "umis_at_saturation",
        3000,
        10_000,
        20_000,
        "resting blood cells; kits of 2018 lie near the low end, later ones near the high end",
    )
    fields |= assumed(
        "icc",
        *pilot.ASSUMED["icc"],
        "no data set at hand has six labelled donors",
    )
    fields["edge_spread"] = pilot.assumed("edge_spread")
    fields["doublets_per_thousand"] = pilot.assumed("doublets_per_thousand")
    return System(
        name="human_pbmc_10x",
        title="Human blood cells, droplet counts of molecules",
        organism="Homo sapiens",
        assay="3' single-cell RNA-seq with molecular identifiers (10x Genomics)",
        kind=UMIS,
        donor="donor",
        row="cell",
        regulators=all_genes[0].regulators,
        targets=all_genes[0].targets,
        fields=fields,
        costs=pilot.COSTS[UMIS],
        grid=pilot.GRIDS[UMIS],
        notes=(
            "Two of the data sets are of one study and half stimulated with interferon, which "
            "moves many genes at once and raises variation; the third holds resting cells.",
        ),
    )


def human_thp1_perturb(folder: Path) -> System:
    """A perturbation screen in one cell line; its genes are a random subset."""
    data, one = measured(folder, "papalexi_eccite_299genes")
    fields = dict(one.fields)
    # 299 of the 18,649 genes of the study, drawn at random, hold that share of all counts on
    # average; what they really hold is not in the file.
    step = math.log(data.n_vars / 18_649)
    for who in ("regulator", "target"):
        old = fields[f"{who}_log_share"]
        why = f"{data.name}: share among {data.n_vars} random genes, scaled to 18,649 genes"
        low, high = old.central + step - 0.7, old.central + step + 0.7
        fields[f"{who}_log_share"] = Field(low, old.central + step, high, "assumed", why)
    fields |= assumed(
        "umis_at_saturation", 8000, 20_000, 40_000, "dividing cells hold much RNA; a convention"
    )
    fields |= assumed("icc", 0.0005, 0.005, 0.05, "replicate cultures of one cell line; three only")
    fields |= assumed("edge_spread", 0.05, 0.1, 0.3, "cultures of one cell line are alike")
    return System(
        **{
            **vars(one),
            "name": "human_thp1_perturb",
            "title": "Human THP-1 cells in a CRISPR screen, droplet counts of molecules",
            "organism": "Homo sapiens",
            "assay": "ECCITE-seq with molecular identifiers",
            "donor": "culture",
            "regulators": 700,
            "targets": 6000,
            "fields": fields,
            "grid": {**pilot.GRIDS[UMIS], "donors": "2:12", "cells": "200:8000"},
            "notes": (
                "Numbers of regulators and targets are those of human blood cells: the data set "
                "holds 299 genes only.",
            ),
            "pilot": {},
        }
    )


def human_bulk_tissue(folder: Path) -> System:
    """Bulk sequencing: the files at hand are logarithms of selected genes, so much is cited."""
    ratio = np.asarray(read_h5ad(folder / "tcga_brca_ncutyx.h5ad").X, dtype=float)
    logs = np.asarray(read_h5ad(folder / "tcga_brca_mixomics.h5ad").X, dtype=float)

    def log_cv2(values: np.ndarray) -> np.ndarray:
        return np.log(np.expm1((values.std(axis=0) * math.log(2)) ** 2))

    low, high = float(np.median(log_cv2(ratio))), float(np.median(log_cv2(logs)))
    spread = float(log_cv2(ratio).std())
    fields: Fields = {}
    for who in ("regulator", "target"):
        fields |= assumed(
            f"{who}_log_share", -13.0, -11.5, -10.5, "expressed genes: about 10 in a million"
        )
        fields |= assumed(
            f"{who}_log_share_sd", 1.2, 1.6, 2.0, "as wide as in single cells or wider"
        )
        why = (
            "a biological coefficient of variation of 0.4 in human data (edgeR User's Guide); "
            f"range: median of 334 (log ratios, {low:.2f}) and of 200 selected genes "
            f"({high:.2f}) of breast tumours, tcga_brca_ncutyx and tcga_brca_mixomics"
        )
        fields |= cited(f"{who}_log_cv2", low, math.log(0.4**2), high, why)
        fields |= assumed(f"{who}_log_cv2_slope", -0.3, 0.0, 0.0, "rare genes may vary more")
        fields[f"{who}_log_cv2_sd"] = Field(
            0.8 * spread,
            spread,
            1.3 * spread,
            "measured",
            "tcga_brca_ncutyx: 334 genes, 873 tumours",
        )
    fields["edge_spread"] = pilot.assumed("edge_spread")
    fields |= assumed("icc", 0.3, 0.5, 0.8, "samples of one person, where there is more than one")
    one = measured(folder, "tcga_brca_ncutyx")[1]
    fields |= {
        "regulator_r2": Field(0.2, 0.5, 0.8, "assumed", "no file at hand has all regulators"),
        "regulator_correlation": one.fields["regulator_correlation"],
    }
    return System(
        name="human_bulk_tissue",
        title="Human tissue, bulk RNA-seq",
        organism="Homo sapiens",
        assay="bulk RNA-seq, counts of reads",
        kind=READS,
        donor="donor",
        row="sample",
        regulators=1000,
        targets=10_000,
        fields=fields,
        costs=pilot.COSTS[READS],
        grid=pilot.GRIDS[READS],
        notes=(
            "The composition of a tissue varies between donors and moves thousands of genes "
            "together; no number here knows of it.",
        ),
    )


def bacteria_microarray(folder: Path) -> System:
    """Replicates of 106 conditions give the reliability of every gene."""
    name = "bsubtilis_arrieta2015"
    icc, regulator, levels = replicate_agreement(folder, name, "experiment", None)
    one = measured(folder, name)[1]
    fields: Fields = {}
    for who, mask in (("regulator", regulator), ("target", ~regulator)):
        values = icc[mask & np.isfinite(icc)]
        low, central, high = np.quantile(values, [0.25, 0.5, 0.75])
        why = (
            f"{name}: agreement of replicates of {levels} conditions, {len(values):,} genes; "
            "range: quartiles over genes. Biology that differs between replicates counts as noise"
        )
        fields[f"{who}_reliability"] = Field(
            float(low), float(central), float(high), "measured", why
        )
    spread = float(np.std(logit(np.clip(icc[np.isfinite(icc)], 0.05, 0.99))))
    fields["reliability_sd"] = Field(
        0.8 * spread, spread, 1.2 * spread, "measured", f"{name}: spread of the same over genes"
    )
    fields["edge_spread"] = pilot.assumed("edge_spread")
    fields |= assumed("icc", 0.8, 0.95, 1.0, "all but noise differs between conditions")
    fields["regulator_r2"] = Field(0.5, 0.8, 0.95, "assumed", "fewer than five rows per regulator")
    fields["regulator_correlation"] = one.fields["regulator_correlation"]
    return System(
        name="bacteria_microarray",
        title="Bacteria, a compendium of conditions",
        organism="Bacillus subtilis",
        assay="microarray",
        kind=INTENSITY,
        donor="condition",
        row="array",
        regulators=int(regulator.sum()),
        targets=int((~regulator).sum()),
        fields=fields,
        costs=pilot.COSTS[INTENSITY],
        grid={"donors": "20:1000", "cells": "1,2,3,4"},
        notes=("Conditions of one time course count as independent here, which they are not.",),
    )


def yeast_segregants(folder: Path) -> System:
    """97 strains at 6 time points; 100 selected genes."""
    name = "yeast_segregants_yeung2011"
    icc, regulator, levels = replicate_agreement(folder, name, "strain", "time")
    one = measured(folder, name, time="time")[1]
    fields: Fields = {}
    for who in ("regulator", "target"):
        fields |= assumed(
            f"{who}_reliability", *pilot.ASSUMED[f"{who}_reliability"], "no replicates"
        )
    fields |= assumed("reliability_sd", *pilot.ASSUMED["reliability_sd"], "no replicates")
    fields["edge_spread"] = pilot.assumed("edge_spread")
    middle = float(np.nanmedian(icc))
    central = fields["target_reliability"].central
    fields["icc"] = Field(
        middle,
        min(middle / central, 0.99),
        1.0,
        "measured",
        f"{name}: {levels} strains, {len(icc)} genes, time taken out; over an assumed "
        f"reliability of {central}",
    )
    fields["regulator_r2"] = Field(
        0.3, 0.6, 0.9, "assumed", f"only {int(regulator.sum())} regulators"
    )
    fields["regulator_correlation"] = one.fields["regulator_correlation"]
    return System(
        name="yeast_segregants",
        title="Yeast, a panel of strains",
        organism="Saccharomyces cerevisiae",
        assay="microarray",
        kind=INTENSITY,
        donor="strain",
        row="sample",
        regulators=200,
        targets=5000,
        fields=fields,
        costs=pilot.COSTS[INTENSITY],
        grid={"donors": "20:1000", "cells": "1,2,3,6"},
        notes=(
            "Numbers of regulators and targets are those of the genome: the data set holds 100 "
            "selected genes.",
        ),
    )


PROFILES = (
    human_pbmc_10x,
    human_thp1_perturb,
    human_bulk_tissue,
    bacteria_microarray,
    yeast_segregants,
)


def main() -> None:
    """Write one file a profile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path("infocheck/planning/profiles"))
    parser.add_argument("--only", help="one profile alone")
    given = parser.parse_args()
    for make in PROFILES:
        if given.only in (None, make.__name__):
            found = finished(make(given.data))
            assert set(found.fields) == set(FIELDS[found.kind])
            text = json.dumps(system.to_document(found), indent=1, ensure_ascii=False)
            (given.out / f"{found.name}.json").write_text(text + "\n", encoding="utf-8")
            print(found.name)


if __name__ == "__main__":
    main()
