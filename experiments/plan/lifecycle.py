"""State machine of experiments as one table: allowed actions by state, and their preconditions. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from experiments.plan import validation
from experiments.plan.record import Plan
from experiments.plan.validation import Problem, Situation
from reporting.words import gettext

REVIEW = "review_"  # prefix of refusal codes about a missing approval
BY_KEY = " · key "  # in a version's reason: the key that wrote it, where no person did


class Status(StrEnum):
    """State of an experiment."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CONCLUDED = "concluded"
    ARCHIVED = "archived"


class Action(StrEnum):
    """Action that a person may request."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE_ENROLMENT = "close_enrolment"
    STOP = "stop"
    CONCLUDE = "conclude"
    ARCHIVE = "archive"


MOVES: dict[tuple[Status, Action], Status] = {
    (Status.DRAFT, Action.START): Status.RUNNING,
    (Status.DRAFT, Action.ARCHIVE): Status.ARCHIVED,
    (Status.RUNNING, Action.PAUSE): Status.PAUSED,
    (Status.RUNNING, Action.CLOSE_ENROLMENT): Status.RUNNING,
    (Status.RUNNING, Action.STOP): Status.STOPPED,
    (Status.PAUSED, Action.RESUME): Status.RUNNING,
    (Status.PAUSED, Action.CLOSE_ENROLMENT): Status.PAUSED,
    (Status.PAUSED, Action.STOP): Status.STOPPED,
    (Status.STOPPED, Action.CONCLUDE): Status.CONCLUDED,
    (Status.CONCLUDED, Action.ARCHIVE): Status.ARCHIVED,
}
LIVE = (Status.RUNNING, Status.PAUSED)  # these occupy their flag and their slice of a layer
SERVED = (*LIVE, Status.STOPPED, Status.CONCLUDED)  # the evaluation API finds only these


@dataclass(frozen=True)
class Refusal:
    """Why an action is refused: `not_allowed`, `enrolment_closed`, `rolled_out`, `review_…`, `plan` with a problem."""

    code: str
    status: Status
    action: Action
    problem: Problem | None = None


def target(status: Status, action: Action) -> Status | None:
    """The state after an action; None when the action isn't allowed in this state."""
    return MOVES.get((status, action))


def refusals(status: Status, action: Action, plan: Plan, situation: Situation) -> tuple[Refusal, ...]:
    """Every reason against an action; empty when it is allowed."""
    if target(status, action) is None:
        return (Refusal("not_allowed", status, action),)
    if action is Action.START:
        plan_refusals = [Refusal("plan", status, action, problem) for problem in validation.problems(plan, situation)]
        # Last, so that an author reads the problems of the plan first.
        unreviewed = [Refusal(f"{REVIEW}{situation.review}", status, action)] if situation.review else []
        return (*plan_refusals, *unreviewed)
    if action is Action.CLOSE_ENROLMENT and not situation.enrolment_open:
        return (Refusal("enrolment_closed", status, action),)
    if action is Action.ARCHIVE and situation.rolled_out:
        return (Refusal("rolled_out", status, action),)
    return ()


def words(refusal: Refusal) -> str:
    """The refusal as one plain sentence in the reader's language."""
    if refusal.problem is not None:
        return validation.words(refusal.problem)
    if refusal.code == "enrolment_closed":
        return gettext("Enrolment is closed already.")
    if refusal.code.startswith(REVIEW):
        return review_words(refusal.code.removeprefix(REVIEW))
    if refusal.code == "rolled_out":
        return gettext("A group is rolled out: services would not find the flag any more. Take it back first.")
    states = {
        Status.DRAFT: gettext("The experiment is a draft: it can only be started or archived."),
        Status.RUNNING: gettext("The experiment is running: it can be paused, closed for new users, or stopped."),
        Status.PAUSED: gettext("The experiment is paused: it can be resumed, closed for new users, or stopped."),
        Status.STOPPED: gettext(
            "The experiment is stopped: it can only be closed with a note. Make a new one to go on."
        ),
        Status.CONCLUDED: gettext("The experiment is closed: it can only be archived."),
        Status.ARCHIVED: gettext("The experiment is archived: nothing about it can be changed any more."),
    }
    return states[refusal.status]


def review_words(code: str) -> str:
    """State of a plan's review as a sentence that says what to do; codes of `plan.review.review_state`."""
    sentences = {
        "none": gettext("The plan needs an approval by somebody who didn't write it: ask for a review."),
        "asked": gettext("The plan waits for its review."),
        "changes": gettext("The reviewer asks for changes: change the plan and ask again."),
        "void": gettext("The plan was changed after its approval, which is void now: ask for a review again."),
        "revised": gettext("The plan was changed since the review asked for changes: ask for a review again."),
        "own": gettext("Whoever approved the plan has written a part of it: somebody else has to approve it."),
        "approved": gettext("The plan is approved as it stands."),
    }
    return sentences[code]
