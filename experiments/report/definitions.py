"""Meaning of each number and source of its method, for the foot of a report. Pure."""

from dataclasses import dataclass

from experiments.analyse.effects import Report
from experiments.plan.design import Kind
from reporting.words import gettext, later


@dataclass(frozen=True)
class Definition:
    """One term: its meaning in plain words, and the source of its method."""

    term: str
    meaning: str
    source: str


# What a report must have for the term to stand in it; the term; its meaning; the source of its method.
TERMS = (
    (
        "any",
        later("Effect of the nudge"),
        later("Everybody is counted in the group that they were assigned to, whatever they did."),
        "Kohavi, Tang, Xu (2020)",
    ),
    (
        "standard error",
        later("Test and interval"),
        later("The difference over its own standard error, without pooling the groups."),
        "Welch (1947)",
    ),
    (
        "share",
        later("Test and interval of a share"),
        later("Score test with its matching interval: p is below alpha exactly when 0 lies outside."),
        "Fagerland, Lydersen, Laake (2015)",
    ),
    (
        "mean",
        later("Test and interval of a mean"),
        later("Welch's t test, which doesn't assume equal variances."),
        "Welch (1947)",
    ),
    (
        "any",
        later("Adjusted p"),
        later("Holm's correction over all outcomes and groups of this report."),
        "Holm (1979)",
    ),
    (
        "any",
        later("Relative lift"),
        later("The difference as a share of control's level, with an interval of its own and no p of its own."),
        "Katz et al. (1978)",
    ),
    (
        "any",
        later("Sample-ratio test"),
        later("Compares the sizes of the groups with the planned split; below .001 the data can't be trusted."),
        "Fabijan et al. (2019)",
    ),
    (
        "covariates",
        later("Covariate adjustment"),
        later(
            "Removes the variation that columns known before assignment explain; it sharpens the estimate and doesn't "
            "bias it, as long as the nudge couldn't change those columns."
        ),
        "Lin (2013)",
    ),
    (
        "segment",
        later("Pooled over segments"),
        later(
            "Each segment is compared inside itself and the differences are averaged with Mantel-Haenszel weights. "
            "Read single segments only when the test of heterogeneity says that they differ."
        ),
        "Mantel, Haenszel (1959); Greenland, Robins (1985); Sato (1989)",
    ),
    (
        "cluster",
        later("Cluster-robust errors"),
        later(
            "Groups were assigned, not rows, so the errors are computed between groups. Where sizes differ, a few "
            "large groups carry the comparison, and the test allows for it."
        ),
        "Bell, McCaffrey (2002); Imbens, Kolesár (2016)",
    ),
    (
        "behaviour",
        later("Take-up"),
        later(
            "The share of users who did the behaviour. The difference between the groups is how many did it "
            "because of the nudge."
        ),
        "Angrist, Imbens, Rubin (1996)",
    ),
    (
        "behaviour",
        later("Effect on users who did it because of the nudge"),
        later(
            "The nudge's effect on the outcome, divided by its effect on the behaviour: the behaviour's effect on "
            "users who do it only if nudged. It assumes that the nudge works through the behaviour alone and "
            "prevents nobody from it."
        ),
        "Angrist, Imbens, Rubin (1996)",
    ),
    (
        "behaviour",
        later("Whole clusters"),
        later(
            "Where each cluster is one group, the nudge also changes what a member's friends do. The effect is then "
            "per user who did it because of the nudge, includes the friends in the cluster, and is no member's own."
        ),
        "Kang, Imbens (2016); Imai, Jiang, Malani (2021)",
    ),
    (
        "behaviour",
        later("Anderson-Rubin set"),
        later(
            "All effects that the data don't contradict. It is right however weak the nudge is, so it decides the "
            "verdict."
        ),
        "Anderson, Rubin (1949); Dufour (1997)",
    ),
    (
        "behaviour",
        later("As treated"),
        later("Those who did it against those who didn't: mixes the effect with who chooses to do it."),
        "Hernán, Robins (2020)",
    ),
)


def definitions(report: Report) -> tuple[Definition, ...]:
    """The terms that this report uses, in reading order."""
    design, kinds = report.design, {outcome.kind for outcome in report.outcomes}
    plain = design.behaviour is None and design.cluster is None
    used = {
        "any": True,
        "standard error": not plain,
        "share": plain and Kind.PROPORTION in kinds,
        "mean": plain and Kind.MEAN in kinds,
        "covariates": bool(design.covariates),
        "segment": design.segment is not None,
        "cluster": design.cluster is not None,
        "behaviour": design.behaviour is not None,
    }
    return tuple(Definition(gettext(term), gettext(meaning), source) for by, term, meaning, source in TERMS if used[by])
