"""The views of Explore in their order: name, question, how an answer is shown. Pure."""

from aha.explore.question import ACTIVITY, FUNNEL, LIFECYCLE, RETENTION, TIMES, Question
from aha.explore.report import behaviour_dates, funnel_steps, retention_triangle, times_done, user_weeks
from aha.explore.report.shown import Draw, Payload, Shown, who
from reporting.words import gettext

DRAW: dict[str, Draw] = {
    RETENTION: retention_triangle.shown,
    ACTIVITY: behaviour_dates.shown,
    TIMES: times_done.shown,
    LIFECYCLE: user_weeks.shown,
    FUNNEL: funnel_steps.shown,
}


def show(question: Question, payload: Payload) -> Shown:
    """An answer as people read it; without users there is only a sentence."""
    if not payload["users"]:
        finding = gettext("No user fits these filters.")
        return Shown(finding, who(question, payload), (), (), (), ())
    return DRAW[question.view](question, payload)


def titles() -> dict[str, tuple[str, str]]:
    """Name of each view, and what it answers."""
    return {
        RETENTION: (gettext("Retention"), gettext("How many users come back, week by week of signup?")),
        ACTIVITY: (gettext("Behaviour over time"), gettext("How many users do it, of the active and of the new?")),
        TIMES: (gettext("Times within days"), gettext("How often do new users do it, and who of them stays?")),
        LIFECYCLE: (gettext("Lifecycle"), gettext("Who is new, who comes back, who stays away?")),
        FUNNEL: (gettext("Funnel"), gettext("How many new users get from step to step, and how fast?")),
    }


def stage_words(stage: str) -> str:
    """What is being done."""
    return {
        "numbering": gettext("preparing the log for quick answers; the first time takes longest"),
        "counting": gettext("counting"),
    }.get(stage, gettext("waiting for another question"))
