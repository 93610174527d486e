"""The words of a study, from its codes: one place for page, command and report, in the reader's language."""

from collections.abc import Iterable

from aha.evidence.ladder import RungName
from aha.study.candidates import ACTIVITY_ONLY, ALPHA, AS_STRONG_AS_INERT, NO_BETTER_THAN_EVERYBODY
from aha.study.exhibits import NullPicture
from aha.study.result import Asked, Candidate
from aha.study.step import JUMP, SmoothRange, Step, StepVerdict
from aha.study.window_guard import Flag
from events.metrics import display_name, parse_retention, sentence
from reporting.numbers import count, p_text
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def asked_sentences(asked: Asked) -> tuple[str, ...]:
    """What was asked and on which data: printed beside every result."""
    inputs = asked.inputs
    clock = (
        gettext("Days are 24 hours from the signup event {event}; the data end at {end} UTC.")
        if inputs.day_mode == "rolling"
        else gettext("Days are calendar days in {zone} from the signup event {event}; the data end at {end} UTC.")
    )
    valid = ", ".join(map(str, asked.valid_days))
    found = [
        sentence(inputs.definition),
        clock.format(event=inputs.signup_event, end=asked.data_end.replace("T", " ")[:16], zone=asked.time_zone),
        gettext("Behaviours are counted within {days} days; all on one population.").format(days=valid),
    ]
    if asked.left_out:
        text = gettext("{n} further event names that fewer users did were not counted.")
        found.append(text.format(n=asked.left_out))
    return tuple(found)


def flag_words(code: str) -> str:
    """The short name of a mark."""
    names = {
        Flag.GOAL_LIKE.value: gettext("is the goal"),
        Flag.ACTIVITY_LIKE.value: gettext("mirrors activity"),
        Flag.FORCED.value: gettext("forced"),
        Flag.NOT_AVAILABLE.value: gettext("came later"),
        Flag.INERT.value: gettext("negative control"),
        Flag.DUPLICATE.value: gettext("duplicate"),
        ACTIVITY_ONLY: gettext("activity only"),
        NO_BETTER_THAN_EVERYBODY: gettext("no better than everybody"),
        AS_STRONG_AS_INERT: gettext("as strong as inert behaviours"),
    }
    return names[code]


def flag_sentence(code: str) -> str:
    """What a mark means."""
    sentences = {
        Flag.GOAL_LIKE.value: gettext("Retention itself counts this event, so it can't be its own reason."),
        Flag.ACTIVITY_LIKE.value: gettext("Its count follows the number of active days almost exactly."),
        Flag.FORCED.value: gettext(
            "Nearly everybody does it, or does it in the first session, so it tells nobody apart."
        ),
        Flag.NOT_AVAILABLE.value: gettext("It did not exist yet when the first of these users signed up."),
        Flag.INERT.value: gettext(
            "An analyst says that it can't cause retention; it shows what the method finds anyway."
        ),
        Flag.DUPLICATE.value: gettext("Users who do one also do the other: they can't be told apart."),
        ACTIVITY_ONLY: gettext("It doesn't tell those who stay among users with equally many active days."),
        NO_BETTER_THAN_EVERYBODY: gettext("Counting everybody would describe those who stay as well."),
        AS_STRONG_AS_INERT: gettext("Behaviours that can't cause anything come out as strong as this one."),
    }
    return sentences[code]


def step_words(verdict: StepVerdict, found: SmoothRange | None) -> str:
    """The short form of a step verdict; "smooth" names the numbers it speaks of."""
    if found is not None:
        text = gettext("smooth from {first} to {last} times within {days}")
        return text.format(first=found.first, last=found.last, days=days_words(found.days))
    names = {
        StepVerdict.JUMP: gettext("jump"),
        StepVerdict.SMOOTH: gettext("smooth"),
        StepVerdict.CANNOT_TELL: gettext("cannot tell"),
    }
    return names[verdict]


def step_sentence(step: Step) -> str:
    """What can be said about a jump, with the caution that belongs to it."""
    if step.reason is not None:
        return reason_words(step.reason)
    match step.verdict:
        case StepVerdict.JUMP:
            text = gettext(
                "Retention jumps at {times} within {days}. Engagement can't make a jump; a rule of the "
                "product that fires there, such as a badge, can."
            )
        case StepVerdict.SMOOTH if step.smooth_range is not None:
            return smooth_sentence(step.smooth_range)
        case StepVerdict.SMOOTH:
            text = gettext(
                "No jump was found; whether one would have been found was asked at {times} within {days} alone."
            )
        case _:
            text = gettext("These data can't tell a jump at {times} from a smooth rise.")
    return text.format(times=times_words(step.times), days=days_words(step.days))


def smooth_sentence(found: SmoothRange) -> str:
    """That no jump lies in the range that was tested with power, and what follows for its numbers."""
    text = gettext(
        "From {first} to {last} times within {days} a jump of {jump} points of retention would have been found and was "
        "not: any number from {first} to {last} is a convention."
    )
    days, jump = days_words(found.days), f"{100 * JUMP:.0f}"
    return text.format(first=found.first, last=found.last, days=days, jump=jump)


def rung_words(name: RungName) -> str:
    """What a rung of the ladder holds equal."""
    names = {
        RungName.RAW: gettext("nothing held equal"),
        RungName.STRATIFIED: gettext("equally active, same week and segment"),
        RungName.BASE: gettext("same attributes at signup"),
        RungName.FULL: gettext("and same activity and other behaviours"),
    }
    return names[name]


def exclusion_words(code: str) -> str:
    """Why units don't count."""
    names = {
        "too_young": gettext("their retention window isn't complete yet"),
        "outside_segment": gettext("they are outside the segment"),
    }
    return names[code]


def null_sentence(picture: NullPicture | NotComputable) -> str:
    """Whether the best cell of the grid is better than luck, or than equally active users."""
    if not computable(picture):
        return reason_words(picture)
    passed = picture.smallest_p <= ALPHA
    if picture.by_activity:
        text = (
            gettext("Some cell tells those who stay even among equally active users ({p}, {n} cells tested).")
            if passed
            else gettext("No cell tells those who stay among equally active users ({p}, {n} cells tested).")
        )
    else:
        text = (
            gettext("The best cell is better than the best of {n} cells by luck ({p}). Activity alone passes this.")
            if passed
            else gettext("The best of {n} cells is no better than luck would make it ({p}).")
        )
    return text.format(p=p_text(picture.smallest_p), n=count(picture.tested))


def choice_caption() -> str:
    """Stands under every table of picks."""
    return gettext(
        "A stable choice is no evidence that a threshold exists or causes anything: a smooth curve has a stable best "
        "number too."
    )


def claim_words(candidate: Candidate) -> str:
    """The claim as one line."""
    return cell_words(candidate.behaviour, candidate.times, candidate.days)


def cell_words(behaviour: str, times: int, days: int) -> str:
    """A behaviour with its number of times and days."""
    text = gettext("{behaviour} at least {times} within {days}")
    return text.format(behaviour=display_name(behaviour), times=times_words(times), days=days_words(days))


def times_words(times: int) -> str:
    """How often."""
    return gettext("once") if times == 1 else gettext("{n} times").format(n=times)


def days_words(days: int) -> str:
    """Within how long."""
    return gettext("1 day") if days == 1 else gettext("{n} days").format(n=days)


def marks(codes: Iterable[str]) -> str:
    """The short names of marks."""
    return ", ".join(flag_words(code) for code in codes)


def hidden_cause_sentence(candidate: Candidate) -> str:
    """The E-value with its benchmark: a bare number says nothing."""
    if not computable(candidate.e_value):
        return reason_words(candidate.e_value)
    strength = gettext(
        "A hidden cause would need a risk ratio of {e} with both behaviour and retention to explain this."
    )
    found = strength.format(e=f"{candidate.e_value.point:.2f}")
    if not computable(candidate.benchmark):
        return found
    compared = (
        gettext("One as strong as activity would erase it.")
        if candidate.benchmark.would_erase
        else gettext("One as strong as activity would not erase it.")
    )
    return f"{found} {compared}"


def definition_sentence(retention: str) -> str:
    """What a stored retention means."""
    return sentence(parse_retention(retention))
