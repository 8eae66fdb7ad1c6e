"""The words, shapes and colours of the page: one table, used everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from infocheck.result import Answer, Result, Stage, Status


@dataclass(frozen=True)
class Mark:
    """A state as it is shown: word, shape and colour always travel together."""

    word: str
    glyph: str
    css: str

    @property
    def ink(self) -> str:
        """Class of text in the colour of the state."""
        return "t" + self.css[0]


_NOT_ASSESSED = Mark("Not assessed", "○", "na")

STATUS = {
    Status.ENOUGH: Mark("Enough", "●", "pass"),
    Status.BORDERLINE: Mark("Borderline", "▲", "warn"),
    Status.LIMITING: Mark("Limiting", "■", "fail"),
    Status.NOT_ASSESSED: _NOT_ASSESSED,
    # A crash is never a pass and never a fault of the data.
    Status.ERROR: _NOT_ASSESSED,
}

# The neutral status of a check that decides nothing would read as a shortcoming.
EXPLAINS = Mark("Explains", "◇", "info")


def check_mark(result: Result) -> Mark:
    """The mark of a check's own status."""
    neutral = result.verdict.status is Status.BORDERLINE and not result.check.gate
    return EXPLAINS if neutral else STATUS[result.verdict.status]


ANSWER = {
    Answer.SUPPORTED: Mark("Supported", "●", "pass"),
    Answer.NOT_EXCLUDED: Mark("Not excluded", "▲", "warn"),
    Answer.EXCLUDED: Mark("Excluded", "■", "fail"),
    Answer.NOT_ASSESSED: _NOT_ASSESSED,
}


@dataclass(frozen=True)
class StageWords:
    """A link of the chain in words."""

    title: str
    question: str

    @property
    def inline(self) -> str:
        """The title inside a sentence."""
        return self.title if self.title.startswith("mRNA") else self.title.lower()


STAGES = {
    Stage.MEASUREMENT: StageWords("Measurement", "Do counts carry biology?"),
    Stage.SAMPLING: StageWords("Sampling stability", "Would other samples agree?"),
    Stage.PREDICTABILITY: StageWords("Predictability", "Do regulators predict targets?"),
    Stage.SPECIFICITY: StageWords("Specificity", "Better than look-alike genes?"),
    Stage.CONFOUNDING: StageWords("Confounding", "More than batch and donor?"),
    Stage.PROXY: StageWords("mRNA proxy", "Does mRNA follow activity?"),
}

# The last link of one goal answers another question.
_HELD_OUT = StageWords("Held-out perturbations", "Better than their mean?")


def stage(which: Stage, goal: str) -> StageWords:
    """The words of a link as a goal sees it."""
    other = goal == "perturbation_response" and which is Stage.PROXY
    return _HELD_OUT if other else STAGES[which]


# Goal key → its name inside a sentence, and whether that name is a plural.
SUBJECTS = {
    "modules": ("gene modules", True),
    "confident_edges": ("a short list of edges", False),
    "regulator_targets": ("the targets of one regulator", True),
    "whole_network": ("the whole network", False),
    "edge_direction": ("edge direction", False),
    "perturbation_response": ("perturbation response", False),
}

ROLES = {
    "batch": "batch",
    "donor": "donor",
    "cell_type": "cell type",
    "condition": "condition",
    "perturbation": "perturbation",
    "time": "time",
    "protein": "protein",
    "guide": "guide",
    "counts": "counts layer",
    "layer": "layer",
}


def plural(word: str, count: float = 2) -> str:
    """The word for that many."""
    return word if count == 1 else f"{word}s"


GLOSSARY = {
    "Excluded": "A necessary condition fails: its whole 95% interval lies below the floor, or a "
    "required input is absent.",
    "Not excluded": "No necessary condition was seen to fail. This is the default, not a pass.",
    "Supported": "Every necessary condition holds and independent data agree.",
    "Upper bound": "The most the tested methods could reach on simulated targets as predictable "
    "as yours. Real accuracy can be far lower.",
    "Floor": "Below the floor a stage is limiting.",
    "Need": "At or above the need a stage is enough. Between floor and need it is borderline.",
    "95% interval": "The range that the estimate would fall in for most repeats of the study. A "
    "verdict looks at the whole range, not only at the estimate.",
    "Regulator": "A gene that may control others, such as a transcription factor.",
    "Target": "A gene whose expression a regulator may control.",
    "Edge": "A claimed effect of one regulator on one target.",
    "Gene modules": "Groups of genes that vary together. They are not regulation.",
    "Reliability": "Share of a gene’s variance that is not counting noise, 0 to 1.",
    "Sampling stability": "Agreement of edge scores between two halves of the data, 0 to 1.",
    "Predictability": "Share of a target’s variance that regulators predict in data not used to "
    "fit them.",
    "Specificity": "Whether regulators predict better than decoys.",
    "Decoys": "Other genes with the same mean and variance as the regulators.",
    "Confounding": "Regulator and target move together because of a third thing: batch, donor, "
    "cell cycle, cell type.",
    "mRNA proxy": "How well a regulator’s mRNA stands for its activity. Expression alone cannot "
    "tell.",
    "Partial correlation": "The correlation of two genes that is left after the other regulators "
    "are taken into account.",
    "R²": "Share of variance that is predicted: 0 is nothing, 1 is all.",
    "FDR": "False discovery rate: the expected share of reported edges that are wrong.",
    "Nominal": "Promised by the method that made the list, in contrast to realised: counted where "
    "the truth is known.",
    "Knockoffs": "Artificial copies of the regulators that vary together as the originals do and "
    "say nothing of any target. A method that finds them finds by chance.",
    "Hidden factor": "Something nobody recorded that moves regulators and targets, so that they "
    "move together without regulation.",
    "Simulated targets": "Made-up genes on the real regulators. Which regulators they depend on is "
    "known, so that false discoveries can be counted.",
    "Variance component": "The part of a gene’s variance that differences between donors, batches "
    "or other groups make, as far as these groups stand for many.",
    "Usable share": "What is left of an effect once batch or other labels are taken into account: "
    "1 where they are crossed, 0 where they are the same.",
    "Vanishes": "Less than half of a correlation is left within the groups: it was a difference "
    "between groups.",
    "Robustness value": "The share that a hidden factor would have to explain of both ends of an "
    "edge to make all of it.",
    "Principal components": "The few patterns that most of the variation of many genes follows.",
    "Donor": "An independent biological individual or replicate. Cells of one donor are not "
    "independent.",
    "Donors": "Independent biological individuals or replicates. Cells of one donor are not "
    "independent.",
}
# Found in a text, explained there, but not a row of the glossary of its own.
_FORMS = frozenset({"Donors"})
GLOSSARY_ROWS = {term: text for term, text in GLOSSARY.items() if term not in _FORMS}
