"""A claim in words: what was done how often within how long, and how those who did it stay. Pure."""

from aha.study.drawn_results import JudgedBy
from aha.study.result import Candidate
from aha.study.step import StepVerdict
from events.metrics import display_name
from reporting.numbers import count, p_text, percent
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def claim(candidate: Candidate) -> str:
    """The claim as people say it, with what the data say about the number and with the caution that belongs to it."""
    cell = candidate.honest if computable(candidate.honest) else candidate.cell
    texts = {
        StepVerdict.JUMP: gettext(
            "Users who do {behaviour} at least {times} within {days} stay {did} against {other}: a jump at "
            "{number}. Only an experiment can tell whether it is the cause."
        ),
        StepVerdict.SMOOTH: gettext(
            "Users who do {behaviour} at least {times} within {days} stay {did} against {other}: no jump "
            "from {first} to {last} times within {tested_days}, so a number between them is a convention. Only an "
            "experiment can tell whether it is the cause."
        ),
        StepVerdict.CANNOT_TELL: gettext(
            "Users who do {behaviour} at least {times} within {days} stay {did} against {other}; whether "
            "it jumps at {number} can't be told. Only an experiment can tell whether it is the cause."
        ),
    }
    found = candidate.smooth_range
    # Version 0.3 said "smooth" without a range: nothing can be said about this number then.
    vague = candidate.step is StepVerdict.SMOOTH and found is None
    return texts[StepVerdict.CANNOT_TELL if vague else candidate.step].format(
        behaviour=display_name(candidate.behaviour),
        first="" if found is None else found.first,
        last="" if found is None else found.last,
        tested_days="" if found is None else days_words(found.days),
        times=times_words(candidate.times),
        days=days_words(candidate.days),
        number=candidate.times,
        did=percent(cell.ppv.estimate, 0) if computable(cell.ppv) else reason_words(cell.ppv),
        other=(
            percent(cell.retained_without.estimate, 0)
            if computable(cell.retained_without)
            else reason_words(cell.retained_without)
        ),
    )


def measured_on(candidate: Candidate) -> str:
    """On whom the numbers of the claim were measured."""
    cell = candidate.honest
    if not computable(cell):
        return gettext("Measured on all users, those who chose the number among them: it looks too good.")
    n = count(cell.a + cell.b + cell.c + cell.o)
    text = (
        gettext("Measured on {n} users of the training part: the jump was found on the hold-out, without them.")
        if candidate.judged_by is JudgedBy.TRAIN
        else gettext("Measured on {n} users of the hold-out, who had no part in choosing the number.")
    )
    return text.format(n=n)


def luck(candidate: Candidate) -> str:
    """The candidate's own adjusted p-values of both nulls."""
    if isinstance(candidate.p_active, NotComputable):
        return reason_words(candidate.p_active)
    text = gettext("Adjusted over the whole grid: {luck} against luck, {active} against equally active users.")
    return text.format(luck=p_text(candidate.p_luck), active=p_text(candidate.p_active))


def claim_words(candidate: Candidate) -> str:
    """The claim as one line."""
    return cell_words(candidate.behaviour, candidate.times, candidate.days)


def cell_words(behaviour: str, times: int, days: int) -> str:
    """A behaviour with its number of times and days."""
    text = gettext("{behaviour} at least {times} within {days}")
    return text.format(behaviour=display_name(behaviour), times=times_words(times), days=days_words(days))


def number_words(times: int, days: int) -> str:
    """A cell without its behaviour."""
    text = gettext("{times} within {days}")
    return text.format(times=times_words(times), days=days_words(days))


def times_words(times: int) -> str:
    """How often."""
    return gettext("once") if times == 1 else gettext("{n} times").format(n=times)


def days_words(days: int) -> str:
    """Within how long."""
    return gettext("1 day") if days == 1 else gettext("{n} days").format(n=days)
