"""Meaning of each number and source of its method, for the foot of a report. Pure."""

from dataclasses import dataclass

from experiments.analyse.effects import Report
from experiments.plan.design import Kind
from reporting.words import gettext


@dataclass(frozen=True)
class Definition:
    """One term: its meaning in plain words, and the source of its method."""

    term: str
    meaning: str
    source: str


def definitions(report: Report) -> tuple[Definition, ...]:
    """The terms that this report uses, in reading order."""
    found = [*_basic(report)]
    if report.design.covariates:
        found.append(
            Definition(
                gettext("Covariate adjustment"),
                gettext(
                    "Removes the variation that columns known before assignment explain; it sharpens the estimate and "
                    "doesn't bias it, as long as the nudge couldn't change those columns."
                ),
                "Lin (2013)",
            )
        )
    if report.design.segment is not None:
        found.append(
            Definition(
                gettext("Pooled over segments"),
                gettext(
                    "Each segment is compared inside itself and the differences are averaged with Mantel-Haenszel "
                    "weights. Read single segments only when the test of heterogeneity says that they differ."
                ),
                "Mantel, Haenszel (1959); Greenland, Robins (1985); Sato (1989)",
            )
        )
    if report.design.cluster is not None:
        found.append(
            Definition(
                gettext("Cluster-robust errors"),
                gettext(
                    "Groups were assigned, not rows, so the errors are computed between groups. Where sizes differ, "
                    "a few large groups carry the comparison, and the test allows for it."
                ),
                "Bell, McCaffrey (2002); Imbens, Kolesár (2016)",
            )
        )
    if report.design.behaviour is not None:
        found += _behaviour()
    return tuple(found)


def _basic(report: Report) -> list[Definition]:
    kinds = {outcome.kind for outcome in report.outcomes}
    found = [
        Definition(
            gettext("Effect of the nudge"),
            gettext("Everybody is counted in the variant that they were assigned to, whatever they did."),
            "Kohavi, Tang, Xu (2020)",
        )
    ]
    if report.design.behaviour is not None or report.design.cluster is not None:
        found.append(
            Definition(
                gettext("Test and interval"),
                gettext("The difference over its own standard error, without pooling the groups."),
                "Welch (1947)",
            )
        )
    else:
        if Kind.PROPORTION in kinds:
            found.append(
                Definition(
                    gettext("Test and interval of a share"),
                    gettext("Score test with its matching interval: p is below alpha exactly when 0 lies outside."),
                    "Fagerland, Lydersen, Laake (2015)",
                )
            )
        if Kind.MEAN in kinds:
            found.append(
                Definition(
                    gettext("Test and interval of a mean"),
                    gettext("Welch's t test, which doesn't assume equal variances."),
                    "Welch (1947)",
                )
            )
    found += [
        Definition(
            gettext("Adjusted p"),
            gettext("Holm's correction over all outcomes and variants of this report."),
            "Holm (1979)",
        ),
        Definition(
            gettext("Relative lift"),
            gettext("The difference as a share of control's level, with an interval of its own and no p of its own."),
            "Katz et al. (1978)",
        ),
        Definition(
            gettext("Sample-ratio test"),
            gettext("Compares the sizes of the groups with the planned split; below .001 the data can't be trusted."),
            "Fabijan et al. (2019)",
        ),
    ]
    return found


def _behaviour() -> list[Definition]:
    return [
        Definition(
            gettext("Take-up"),
            gettext("The share of units that reached the behaviour; its difference is what the nudge moved."),
            "Angrist, Imbens, Rubin (1996)",
        ),
        Definition(
            gettext("Effect among the moved"),
            gettext(
                "The nudge's effect on the outcome over its effect on the behaviour: the effect of the behaviour on "
                "units that do it only if nudged. It assumes that the nudge works through the behaviour alone and "
                "keeps nobody from it."
            ),
            "Angrist, Imbens, Rubin (1996)",
        ),
        Definition(
            gettext("Whole clusters"),
            gettext(
                "Where each cluster has one arm, the nudge moves a member's friends too. The effect is then per user "
                "moved, with what the moved friends did for all in the cluster, and no member's own."
            ),
            "Kang, Imbens (2016); Imai, Jiang, Malani (2021)",
        ),
        Definition(
            gettext("Anderson-Rubin set"),
            gettext(
                "All effects that the data don't contradict; right however weak the nudge is, so it decides the "
                "verdict."
            ),
            "Anderson, Rubin (1949); Dufour (1997)",
        ),
        Definition(
            gettext("As treated"),
            gettext("Those who did it against those who didn't: mixes the effect with who chooses to do it."),
            "Hernán, Robins (2020)",
        ),
    ]
