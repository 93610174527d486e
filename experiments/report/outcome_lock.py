"""Why the outcome of a stored experiment may be read now, or not yet. Pure."""

from reporting.words import gettext


def state_sentence(why: str) -> str:
    """Why the outcome may be read now, or may not; the codes of `experiments.analyse.result.Standing`."""
    sentences = {
        "enrolling": gettext(
            "The outcome is locked: units are still being enrolled, and this plan looks once, at its end. Looking "
            "earlier would find effects that aren't there."
        ),
        "maturing": gettext(
            "The outcome is locked: enrolment has ended, but not every unit has lived through the outcome's days yet."
        ),
        "next_look": gettext(
            "The outcome is locked until the next planned look; looks between would cost more error than was planned."
        ),
        "too_few": gettext("The outcome is locked: intervals for any look need at least 100 mature units per group."),
        "ended": gettext("Enrolment has ended and every outcome is known: this is what the experiment can say."),
        "look": gettext("This is one of the planned looks; its bounds allow for all of them."),
        "any_time": gettext("The plan allows looking at any time; its intervals allow for all looks together."),
        "peek": gettext("A person asked to see the outcome before the plan allows it."),
    }
    return sentences[why]
