"""The answer of a search for groups: one sentence, and why the groups were believed or weren't. Pure."""

from collections.abc import Mapping

from reporting.numbers import decimal, p_text
from reporting.words import gettext
from segments.report.evidence.gaps import gap_why
from segments.search.clustering import NULL_LEVEL, STABLE_ARI, Standing
from segments.search.gaps import Shape
from segments.search.result import Report


def headline(report: Report) -> str:
    """The answer in one sentence."""
    if not report.found:
        return gettext("No stable groups: use activity tiers")
    if report.shape is Shape.STYLES:
        return gettext("%(styles)s styles of a continuum (corners, not groups)") % {"styles": report.k}
    stable = sum(cluster.standing is Standing.STABLE for cluster in report.clusters)
    if stable == report.k:
        return gettext("%(groups)s stable groups of users") % {"groups": report.k}
    return gettext("%(groups)s groups of users, %(stable)s of them stable") % {"groups": report.k, "stable": stable}


def why(report: Report) -> str:
    """Why the groups were believed, or weren't."""
    details = {
        "k": report.k,
        "ari": decimal(report.stability),
        "needed": decimal(STABLE_ARI),
        "p": p_text(report.null.p_value),
        "draws": len(report.null.values),
        "level": NULL_LEVEL,
    }
    if report.found:
        return " ".join(part for part in (_believed(details), gap_why(report)) if part)
    if report.choice.k is None:
        return (
            gettext(
                "No number of groups from 2 to 10 is found again in resamples (agreement of %(needed)s or more) with "
                "at least 2 in 100 users in each. The %(k)s groups below are for looking only: users differ by degrees."
            )
            % details
        )
    if report.null.p_value > NULL_LEVEL:
        return (
            gettext(
                "The %(k)s groups are no more separate than groups made in %(draws)s populations of the same margins "
                "without any (%(p)s; at most %(level)s is needed). They cut one cloud into pieces and are for looking "
                "only."
            )
            % details
        )
    return (
        gettext(
            "Resampling the users does not find the same %(k)s groups again (agreement %(ari)s; %(needed)s is needed). "
            "They are for looking only."
        )
        % details
    )


def _believed(details: Mapping[str, object]) -> str:
    return (
        gettext(
            "Resampling the users finds the same groups again (agreement %(ari)s; %(needed)s is needed), and they "
            "are more separate than groups made in %(draws)s populations of the same margins without any (%(p)s)."
        )
        % details
    )
