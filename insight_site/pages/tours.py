"""Page tours: three to five notes on what a main page is for, by the name of its route. Pure."""

from dataclasses import dataclass

from reporting.words import gettext


@dataclass(frozen=True)
class Stop:
    """One note: a place on the page by its id, its title, and what one does there."""

    place: str
    name: str
    text: str


def tour_of(route: str) -> tuple[Stop, ...]:
    """The notes of a page; empty for a page without a tour."""
    made = TOURS.get(route)
    return made() if made else ()


def _home() -> tuple[Stop, ...]:
    return (
        Stop("waiting", gettext("What needs you"), gettext("Reviews, alarms, new results, plans that can't start.")),
        Stop("changes", gettext("What changed"), gettext("Verdicts, starts, stops and rollouts of the last 7 days.")),
        Stop("runs", gettext("What runs"), gettext("Experiments under way and computations, with one progress each.")),
        Stop("main", gettext("The loop"), gettext("Events, study, moment, experiment, verdict: the menu follows it.")),
    )


def _studies() -> tuple[Stop, ...]:
    return (
        Stop("main", gettext("A study"), gettext("It ranks early behaviours by how well they predict who stays.")),
        Stop(
            "rows", gettext("The list"), gettext("Each row says which behaviour came first. Open one to compare all.")
        ),
        Stop("main", gettext("What it can't say"), gettext("A correlation is no cause. An experiment decides that.")),
    )


def _study() -> tuple[Stop, ...]:
    return (
        Stop(
            "candidates",
            gettext("Candidates"),
            gettext("One row each: the gap in retention, how many do it, what is left after adjustment."),
        ),
        Stop(
            "candidates", gettext("Promote"), gettext("A good one becomes an AHA moment, which an experiment can test.")
        ),
        Stop("curve", gettext("The cohort"), gettext("Who was counted, and on which days they come back.")),
        Stop("tabs", gettext("Method"), gettext("How far this is more than luck, and how the numbers were chosen.")),
    )


def _candidate() -> tuple[Stop, ...]:
    return (
        Stop("main", gettext("The answer"), gettext("Retention of those who did it and of those who didn't.")),
        Stop(
            "counts", gettext("Four counts"), gettext("How far the users who did it and those who stayed are the same.")
        ),
        Stop(
            "tabs",
            gettext("Evidence and method"),
            gettext("What is left between users who are otherwise alike, past experiments, and why this number."),
        ),
        Stop("actions", gettext("Next step"), gettext("Make it an AHA moment; then test it with an experiment.")),
    )


def _moment() -> tuple[Stop, ...]:
    return (
        Stop(
            "timeline", gettext("Where it stands"), gettext("Found, promoted, tested, confirmed, with links to each.")
        ),
        Stop("reach", gettext("The goal"), gettext("The share of each week's new users who do it.")),
        Stop("past", gettext("Experiments"), gettext("What all experiments on this behaviour say together.")),
        Stop(
            "evidence", gettext("Evidence"), gettext("What the study said on the day of promotion. It doesn't change.")
        ),
    )


def _segments() -> tuple[Stop, ...]:
    return (
        Stop("main", gettext("Segments"), gettext("Groups of users: found by how they play, or written as a rule.")),
        Stop(
            "main", gettext("Stable or not"), gettext("Each model says whether its groups hold when the data change.")
        ),
        Stop("main", gettext("What for"), gettext("An experiment can target a segment and split its result by it.")),
    )


def _experiments() -> tuple[Stop, ...]:
    return (
        Stop(
            "main",
            gettext("An experiment"),
            gettext("It nudges some users towards a behaviour. Only this separates cause from habit."),
        ),
        Stop(
            "rows",
            gettext("The list"),
            gettext("State, progress towards the planned users, and the verdict once there is one."),
        ),
        Stop(
            "main",
            gettext("Honest by design"),
            gettext("Results unlock when the plan says so; reading them early finds effects that aren't there."),
        ),
    )


TOURS = {
    "home": _home,
    "aha:studies": _studies,
    "aha:study": _study,
    "aha:candidate": _candidate,
    "aha:moment": _moment,
    "segments:list": _segments,
    "experiments:list": _experiments,
}
