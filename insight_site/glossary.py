"""Every statistical word of the pages in two plain sentences; `{% note "cace" %}` and the glossary page read it. Pure.

The formulas stand in docs/, under the heading that each term names (a test looks it up).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

type Gettext = Callable[[str], str]


@dataclass(frozen=True)
class Term:
    """One word.

    Attributes:
        slug: how templates name it.
        name: the word, or the question, as it stands on pages.
        meaning: two sentences: what it is, and how to read it.
        doc: file under docs/ without its ending.
        heading: section of that file.
    """

    slug: str
    name: str
    meaning: str
    doc: str
    heading: str


@dataclass(frozen=True)
class Section:
    """Words that belong together."""

    slug: str
    title: str
    terms: tuple[Term, ...]


# Which words the parts of a page need, by the part's slug; a candidate's parts carry its number in front, "c1-heat",
# and are listed as "c-heat" where another page has a part of the same name.
SHOWN_WITH: dict[str, tuple[str, ...]] = {
    "curve": ("retention", "plateau", "interval"),
    "weeks": ("retention", "interval"),
    "ranking": ("shap",),
    "swarm": ("shap",),
    "nulls": ("null", "p-value", "adjusted-p"),
    "controls": ("negative-control",),
    "stack": ("abc", "j"),
    "c-heat": ("j", "as-good"),
    "pareto": ("precision-recall", "phi"),
    "dose": ("jump",),
    "honesty": ("hold-out",),
    "ladder": ("ladder", "interval"),
    "maps": ("pca", "umap"),
    "tsne": ("umap",),
    "scorecard": ("pca", "umap"),
    "numbers": ("silhouette",),
    "null": ("null", "p-value"),
    "stability": ("stability",),
    "heat": ("standardised-difference",),
    "retention": ("retention", "interval"),
    "drivers": ("interval", "adjusted-p"),
}


def shown_with(part: str) -> tuple[str, ...]:
    """Slugs of the words that a part of a page needs."""
    candidates = re.sub(r"^c\d+-", "c-", part)
    return SHOWN_WITH.get(candidates) or SHOWN_WITH.get(candidates.removeprefix("c-"), ())


def sections(gettext: Gettext) -> tuple[Section, ...]:
    """The glossary in the order of the work: who stays, what may matter, who plays how, whether it is the cause."""
    return (
        Section("staying", gettext("Staying and leaving"), _staying(gettext)),
        Section("discovery", gettext("What may matter"), _discovery(gettext)),
        Section("evidence", gettext("How much to believe it"), _evidence(gettext)),
        Section("segments", gettext("Who plays how"), _segments(gettext)),
        Section("experiments", gettext("Whether it is the cause"), (*_cause(gettext), *_instrument(gettext))),
        Section("reading", gettext("Reading a result"), _reading(gettext)),
    )


def find(slug: str, gettext: Gettext) -> Term:
    """One word.

    Raises:
        KeyError: there is no such word; a template that asks for it is wrong.
    """
    return {term.slug: term for section in sections(gettext) for term in section.terms}[slug]


def _staying(gettext: Gettext) -> tuple[Term, ...]:
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
            ), "profiles", "Churn risk (`churn.py`)",
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
                "nobody or nearly everybody leaves little to change, so cells of 5 to 80 % are recommended."
            ), "discovery", "Window guard and flags",
        ),
    )  # fmt: skip


def _discovery(gettext: Gettext) -> tuple[Term, ...]:
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
            "precision-recall", gettext("Stay of the doers, doers of those who stay"),
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
                "Retention rises at one number of times by more than a smooth curve explains. Without a jump the "
                "number is a convention: slightly fewer times are nearly as good."
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


def _evidence(gettext: Gettext) -> tuple[Term, ...]:
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


def _segments(gettext: Gettext) -> tuple[Term, ...]:
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


def _cause(gettext: Gettext) -> tuple[Term, ...]:
    return (
        Term(
            "itt", gettext("Effect of the nudge (ITT)"),
            gettext(
                "Everybody is counted in the variant that they were assigned to, whatever they did: intention to "
                "treat. It is the effect of shipping the nudge, and chance alone decided who got it."
            ), "statistics", "Unpooled z",
        ),
        Term(
            "take-up", gettext("Take-up"),
            gettext(
                "The share of users who reach the behaviour. The difference between the variants is what the nudge "
                "moved; when it is near zero, the experiment says nothing about the behaviour."
            ), "statistics", "First stage",
        ),
        Term(
            "cace", gettext("What is CACE?"),
            gettext(
                "The effect of the behaviour among users who do it only if nudged: the nudge's effect on staying "
                "divided by its effect on take-up. It holds when the nudge works through the behaviour alone and keeps "
                "nobody from it."
            ), "statistics", "Wald",
        ),
        Term(
            "per-protocol", gettext("Why not per-protocol?"),
            gettext(
                "Comparing only those who did the behaviour, or dropping those who didn't, undoes the random "
                "assignment: eager users select themselves into one side. The difference then mixes the effect with "
                "who chooses to do it, so it is shown for comparison and never decides."
            ), "statistics", "As treated",
        ),
        Term(
            "sample-ratio", gettext("Sample ratio"),
            gettext(
                "Compares the sizes of the variants with the planned split. A p-value below .001 means that users were "
                "lost on the way, and the result can't be trusted however good it looks."
            ), "statistics", "Sample ratio",
        ),
        Term(
            "guardrail", gettext("Guardrail"),
            gettext(
                "An outcome that must not get worse while the experiment tries to improve another. It is tested "
                "against a margin that was set before the start."
            ), "statistics", "Equivalence",
        ),
        Term(
            "cuped", gettext("Covariate adjustment (CUPED)"),
            gettext(
                "Removes the variation that was known before the assignment, so the interval gets narrower. It doesn't "
                "bias the result, as long as the nudge couldn't change what it uses."
            ), "statistics", "CUPED",
        ),
    )  # fmt: skip


def _instrument(gettext: Gettext) -> tuple[Term, ...]:
    return (
        Term(
            "anderson-rubin", gettext("Anderson-Rubin set"),
            gettext(
                "All effects of the behaviour that the data don't contradict. It is right however weakly the nudge "
                "moves people, so it decides the verdict; a weak nudge makes it wide, or endless."
            ), "statistics", "Anderson-Rubin",
        ),
        Term(
            "shrinkage", gettext("Shrinkage"),
            gettext(
                "Effects of small segments are drawn towards the mean of all, the more the noisier they are. The best "
                "of ten segments is then no longer simply the luckiest one."
            ), "statistics", "Mantel-Haenszel difference",
        ),
        Term(
            "verdict", gettext("Verdict"),
            gettext(
                "One of seven answers, read from a fixed table: causes, harms, no effect, nudge failed and so on. It "
                "follows from the checks and intervals alone, so nobody can argue it into another one."
            ), "statistics", "Verdict",
        ),
        Term(
            "sequential", gettext("Looking early"),
            gettext(
                "An ordinary p-value is only right when it is read once, at the planned end. A sequential plan has "
                "wider limits, which stay right however often they are read."
            ), "power", "Sequential plans",
        ),
        Term(
            "power", gettext("Power"),
            gettext(
                "The chance that the experiment finds an effect of the smallest size that matters. With 80 % one in "
                "five such effects is missed."
            ), "power", "Size of two shares (`power.prop.test`)",
        ),
    )  # fmt: skip


def _reading(gettext: Gettext) -> tuple[Term, ...]:
    return (
        Term(
            "interval", gettext("Interval (95 % CI)"),
            gettext(
                "The values that go with the data; of all such intervals 95 in 100 hold the true value. A wide one "
                "says that there are too few users to tell."
            ), "statistics", "Wilson interval",
        ),
        Term(
            "p-value", gettext("p-value"),
            gettext(
                "How often chance alone would give a result at least as far from nothing as this one. It is not the "
                "chance that the result is wrong, and a large one doesn't show that there is no effect."
            ), "statistics", "Score interval",
        ),
        Term(
            "adjusted-p", gettext("Adjusted p"),
            gettext(
                "A p-value made larger because many questions were asked at once. Without it one in twenty of them "
                "would look like a finding by chance."
            ), "statistics", "Holm",
        ),
        Term(
            "lift", gettext("Relative lift"),
            gettext(
                "The difference as a share of the control's level: from 20 % to 22 % is 2 points and a lift of 10 %. "
                "It has an interval of its own; the p-value belongs to the difference in points."
            ), "statistics", "Log lift",
        ),
    )  # fmt: skip
