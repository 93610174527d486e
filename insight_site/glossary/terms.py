"""Glossary terms: retention, discovery, evidence, segments. Pure."""

from dataclasses import dataclass

from reporting.words import gettext


@dataclass(frozen=True)
class Term:
    """One glossary term.

    Attributes:
        slug: its name in templates.
        name: the term, or the question, as pages show it.
        meaning: two sentences: what it is, and how to read it.
        doc: file under docs/methods/ or docs/, without extension.
        heading: section of that file.
    """

    slug: str
    name: str
    meaning: str
    doc: str
    heading: str


def staying() -> tuple[Term, ...]:
    """Terms: retention and its use."""
    return (
        Term(
            "retention", gettext("Retention"),
            gettext(
                "The share of new users who are active again on a day, or on at least one day of a range, after they "
                "signed up. Only users whose days are over are counted, so a young cohort can't look worse than it is."
            ), "discovery", "Who counts",
        ),
        Term(
            "churn", gettext("Churn"),
            gettext(
                "Leaving: not being active on the days on which retention is measured. A forecast of churn says who "
                "is likely to leave, and never what would keep them."
            ), "profiles", "Churn risk (`churn`)",
        ),
        Term(
            "plateau", gettext("Plateau"),
            gettext(
                "The height at which the retention curve stops falling: the share of users who have come to stay. "
                "Raising it is what an AHA moment is for."
            ), "evidence", "Plateau",
        ),
        Term(
            "aha-moment", gettext("AHA moment"),
            gettext(
                "An early behaviour, how often and within how many days, after which users tend to stay. It is a "
                "claim until an experiment has confirmed it."
            ), "discovery", "Weekly reach of a moment",
        ),
        Term(
            "reach", gettext("Reach"),
            gettext(
                "The share of users who do the behaviour at least so often within the days. A behaviour of nearly "
                "nobody or nearly everybody leaves little to change, so cells of 5 to 80% are recommended."
            ), "discovery", "Cell metrics and intervals",
        ),
    )  # fmt: skip


def discovery() -> tuple[Term, ...]:
    """Terms: studies."""
    return (
        Term(
            "abc", gettext("A, B, C and O"),
            gettext(
                "Four counts of one cell: A stayed without doing it, B did it and stayed, C did it and left, O "
                "neither. Every number of the cell is made of these four."
            ), "discovery", "Cell metrics and intervals",
        ),
        Term(
            "j", gettext("J"),
            gettext(
                "The users who did it and stayed, as a share of those who did it or stayed: B of A + B + C. It is 1 "
                "when doers and stayers are the same users, and it says nothing about why."
            ), "discovery", "Cell metrics and intervals",
        ),
        Term(
            "phi", gettext("Phi"),
            gettext(
                "The correlation of doing it and staying, both taken as yes or no, from -1 to 1. Unlike J it also "
                "counts the users who did neither."
            ), "discovery", "Cell metrics and intervals",
        ),
        Term(
            "precision-recall", gettext("Retained among those who did it; did it among the retained"),
            gettext(
                "The first is the share of doers who stay, the second the share of stayers who did it. Raising the "
                "number of times raises one and lowers the other, so no number is best for both."
            ), "discovery", "Choice, indifference, Pareto front",
        ),
        Term(
            "as-good", gettext("As good within one standard error"),
            gettext(
                "Cells whose J is so close to the best one that these data can't tell them apart. Take the one that is "
                "easiest to explain or to nudge."
            ), "discovery", "Choice, indifference, Pareto front",
        ),
        Term(
            "jump", gettext("Jump"),
            gettext(
                "Retention rises at one number of times by more than a smooth curve explains, and by more than at the "
                "numbers beside it. Without a jump the number is a convention: slightly fewer times are nearly as "
                "good, also where retention rises evenly to a number and levels off there."
            ), "discovery", "Step evidence",
        ),
        Term(
            "hold-out", gettext("Hold-out and later cohorts"),
            gettext(
                "Users who had no part in choosing the number, set aside before the choice or signed up later. Only "
                "their values are honest, since the best of many cells looks better than it is."
            ), "discovery", "Hold-out, later cohorts, optimism",
        ),
        Term(
            "shap", gettext("SHAP"),
            gettext(
                "What a feature adds to a model's forecast for one user, in log-odds, by a model that never saw this "
                "user. It says what the model leans on, not what would happen if the feature were changed."
            ), "discovery", "What the model sees",
        ),
    )  # fmt: skip


def evidence() -> tuple[Term, ...]:
    """Terms: limits of a study's evidence."""
    return (
        Term(
            "null", gettext("Shuffles"),
            gettext(
                "The same search repeated on data in which the link to staying was cut by chance. A result that "
                "shuffles reach as well is luck."
            ), "discovery", "Whole-grid null",
        ),
        Term(
            "ladder", gettext("Ladder"),
            gettext(
                "The difference between doers and others as more and more of what is known about them is held equal. "
                "What is left at the end may still be caused by something that nobody measured."
            ), "evidence", "AIPW",
        ),
        Term(
            "daily-trials", gettext("Daily trials"),
            gettext(
                "On every day, users who reach the number on that day against those who don't yet, alike in all that "
                "was measured by the evening before. It removes what was measured before the act, and nothing else."
            ), "evidence", "Daily trials",
        ),
        Term(
            "robustness-value", gettext("Robustness value"),
            gettext(
                "The share of what is left of behaviour and of retention that a hidden cause would have to explain to "
                "bring the difference to 0. Compare it with what activity explains of the two."
            ), "evidence", "Robustness value",
        ),
        Term(
            "e-value", gettext("E-value"),
            gettext(
                "How strongly a hidden cause would have to go with both doing it and staying to explain the whole "
                "difference, as a ratio of risks. Compare it with what a known cause, activity, does."
            ), "evidence", "E-value",
        ),
        Term(
            "negative-control", gettext("Negative control"),
            gettext(
                "A behaviour that can't make anybody stay, such as muting the sound. If the method finds something "
                "there, what it finds elsewhere may be of the same kind."
            ), "evidence", "Negative controls",
        ),
        Term(
            "promise", gettext("Promise"),
            gettext(
                "The gain in retention if everybody who can be moved did the behaviour, and the surviving share of "
                "the difference were its effect. It is an upper limit to plan with, not a forecast."
            ), "evidence", "Promise",
        ),
    )  # fmt: skip


def past_evidence() -> tuple[Term, ...]:
    """Terms: evidence from finished experiments."""
    return (
        Term(
            "expected-gain", gettext("Expected causal gain"),
            gettext(
                "The promise times the share of promises that experiments have found so far, for the users whom a "
                "nudge may be expected to move. It puts candidates in order, and an experiment decides."
            ), "pooling", "Price of a promise",
        ),
        Term(
            "past-experiments", gettext("Past experiments"),
            gettext(
                "Every finished experiment that nudged to the behaviour, pooled on one definition. Where the nudges "
                "disagree, some act by themselves, and no pooled effect is given."
            ), "past_experiments", "What may be pooled",
        ),
    )  # fmt: skip


def segments() -> tuple[Term, ...]:
    """Terms: play patterns."""
    return (
        Term(
            "play-pattern", gettext("Play pattern"),
            gettext(
                "The mix of a user's behaviours on an active day, however much they play. Two users of one pattern do "
                "the same things in the same proportions."
            ), "segments", "Play-pattern features",
        ),
        Term(
            "pca", gettext("PCA"),
            gettext(
                "A projection that keeps as much of the differences between users as straight lines can. Far apart in "
                "the picture is far apart in the data."
            ), "segments", "PCA",
        ),
        Term(
            "umap", gettext("UMAP and t-SNE"),
            gettext(
                "Maps that keep near users near and may tear apart what is continuous. Islands in such a picture are "
                "no proof of groups; the tests below are."
            ), "segments", "UMAP",
        ),
        Term(
            "silhouette", gettext("Silhouette"),
            gettext(
                "How much closer users are to their own group than to the next one, from -1 to 1. It is measured "
                "before any reduction, so a pretty map doesn't raise it."
            ), "segments", "K",
        ),
        Term(
            "stability", gettext("Stability"),
            gettext(
                "How far the same groups are found again among resampled users, from 0 to 1. Below 0.60 a group is "
                "not found again, so no experiment may target it."
            ), "segments", "Stability",
        ),
        Term(
            "styles", gettext("Styles of a continuum"),
            gettext(
                "Stable clusters between which no gap was found: corners of one cloud, not separate groups. Users "
                "between two corners exist, and which side they fall on says little about them."
            ), "segments", "Groups or styles: is there a gap?",
        ),
        Term(
            "standardised-difference", gettext("Standardised difference"),
            gettext(
                "The mean of a group minus the mean of the others, in standard deviations. 0.2 is small and 0.8 large."
            ), "profiles", "Profiles (`profiles.py`, `leaving.py`)",
        ),
        Term(
            "drift", gettext("Drift"),
            gettext(
                "How far the population of today differs from the one in which the groups were found, as a stability "
                "index. Beyond what chance makes of it, look for groups anew."
            ), "profiles", "Drift (`drift.py`)",
        ),
    )  # fmt: skip
