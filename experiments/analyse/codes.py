"""The seven verdicts: code, colour, sign and heading. Without SciPy, so that every page can import it."""

from enum import StrEnum

from reporting.words import gettext


class Code(StrEnum):
    """The seven verdicts."""

    CAUSES = "CAUSES"
    HARMS = "HARMS"
    NO_MATERIAL_EFFECT = "NO_MATERIAL_EFFECT"
    NUDGE_FAILED = "NUDGE_FAILED"
    NUDGE_NOT_BEHAVIOUR = "NUDGE_NOT_BEHAVIOUR"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


# Style sheets give the colours their meaning; the sign conveys it without colour.
LIGHTS = {
    Code.CAUSES: "good",
    Code.HARMS: "bad",
    Code.INVALID: "bad",
    Code.NO_MATERIAL_EFFECT: "warn",
    Code.NUDGE_FAILED: "warn",
    Code.NUDGE_NOT_BEHAVIOUR: "warn",
    Code.INCONCLUSIVE: "warn",
}
SIGNS = {
    Code.CAUSES: "▲",
    Code.HARMS: "▼",
    Code.INVALID: "✕",
    Code.NO_MATERIAL_EFFECT: "＝",
    Code.NUDGE_FAILED: "○",
    Code.NUDGE_NOT_BEHAVIOUR: "○",
    Code.INCONCLUSIVE: "?",
}


def code_words(code: Code, *, whole_clusters: bool = False) -> str:
    """The verdict's code as a short heading.

    Args:
        code: of the verdict.
        whole_clusters: clusters were moved as wholes, so that the verdict is about no member's own behaviour.
    """
    if whole_clusters and code is Code.CAUSES:
        return gettext("Moving whole clusters causes a gain")
    if whole_clusters and code is Code.HARMS:
        return gettext("Moving whole clusters does harm")
    headings = {
        Code.CAUSES: gettext("It causes a gain"),
        Code.HARMS: gettext("It does harm"),
        Code.NO_MATERIAL_EFFECT: gettext("No effect that matters"),
        Code.NUDGE_FAILED: gettext("The nudge failed"),
        Code.NUDGE_NOT_BEHAVIOUR: gettext("Not only through the behaviour: nothing is known about it"),
        Code.INCONCLUSIVE: gettext("Undecided"),
        Code.INVALID: gettext("The data can't answer"),
    }
    return headings[code]


# With these verdicts the ratio of both effects isn't the behaviour's effect: pages strike it out.
NOT_THE_BEHAVIOUR = (Code.INVALID, Code.NUDGE_NOT_BEHAVIOUR, Code.NUDGE_FAILED)
