"""What of the experiments waits for one person: reviews, results they haven't seen, plans that can't start.

Each list takes a fixed number of queries, whatever the number of experiments, and reads no large column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from events.upkeep.tags_and_owners import owned_by
from experiments.models import Analysis, Experiment, ReadResult, ReviewAnswer, ReviewRequest, Rollout
from experiments.plan import validation
from experiments.plan.lab import flags_of
from experiments.plan.lifecycle import LIVE, Status, review_words
from experiments.plan.review import APPROVE, ReviewCode, authors_by_experiment, is_required
from experiments.plan.stored import nudge_keys, plan_of
from experiments.plan.validation import Situation
from runs.site_zone import site_date

MOST = 6  # of each kind: a longer list isn't read, and the list of experiments has all of them
CHANGE, VIEW = "experiments.change_experiment", "experiments.view_experiment"


@dataclass(frozen=True)
class Unread:
    """A verdict that this person hasn't seen: its experiment, code, finality and day."""

    experiment: Experiment
    verdict: str
    final: bool
    at: datetime


@dataclass(frozen=True)
class DraftState:
    """A draft with the first thing that keeps it from starting; `why` is "" where nothing does."""

    experiment: Experiment
    why: str
    at: datetime


def mine(user: User) -> Q:
    """The filter for experiments of a person: owned, or made and owned by nobody else.

    What nobody owns or has made belongs to everybody who may see experiments.
    """
    nobodys = Q(owner__isnull=True, created_by__isnull=True) if user.has_perm(VIEW) else Q(pk__in=[])
    return owned_by(user) | nobodys


def is_mine(experiment: Experiment, user: User | AnonymousUser) -> bool:
    """`mine` for a row that is loaded."""
    owner = experiment.owner_id or experiment.created_by_id
    return user.has_perm(VIEW) if owner is None else owner == user.pk


def reviews_for(user: User | AnonymousUser) -> list[ReviewRequest]:
    """Open reviews of drafts that name this person, or name nobody and that this person may answer; oldest first."""
    if not isinstance(user, User):
        return []
    rows = ReviewRequest.objects.filter(state=ReviewRequest.State.OPEN, experiment__status=Status.DRAFT.value)
    rows = rows.select_related("experiment", "experiment__moment").defer("experiment__moment__evidence").order_by("at")
    named = list(rows.filter(reviewers=user.pk)[:MOST])
    if not user.has_perm(APPROVE):
        return named
    anyones = list(rows.filter(reviewers__isnull=True).exclude(by=user)[: 5 * MOST])
    authors = authors_by_experiment([row.experiment for row in anyones]) if anyones else {}
    free = [row for row in anyones if user.pk not in authors[row.experiment_id]]
    return [*named, *free][:MOST]


def note_read(user: Any, run: Analysis) -> None:
    """Record that a person has seen the verdict of an analysis; nothing while the outcome is locked."""
    if isinstance(user, User) and run.verdict:
        ReadResult.objects.update_or_create(
            user=user,
            experiment=run.experiment,
            defaults={"verdict": run.verdict, "final": run.final, "at": timezone.now()},
        )


def unread(user: User | AnonymousUser) -> list[Unread]:
    """Verdicts of this person's experiments that they haven't seen, newest first.

    A nightly analysis with the verdict that they saw is no news, nor is an experiment that was closed with a note.
    """
    if not isinstance(user, User):
        return []
    done = Analysis.objects.filter(status=Analysis.Status.DONE).exclude(verdict="")
    last = done.filter(experiment=OuterRef("experiment")).order_by("-pk").values("pk")[:1]
    own = Experiment.objects.filter(mine(user), status__in=[*(str(status) for status in LIVE), Status.STOPPED.value])
    seen = ReadResult.objects.filter(
        user=user, experiment=OuterRef("experiment"), verdict=OuterRef("verdict"), final=OuterRef("final")
    )
    rows = done.light("experiment__moment").filter(~Exists(seen), pk=Subquery(last), experiment__in=own)
    return [
        Unread(row.experiment, row.verdict, row.final, row.finished_at or row.created_at)
        for row in rows.defer("inputs", "experiment__moment__evidence").order_by("-pk")[:MOST]
    ]


def stopped(user: User | AnonymousUser, but: Iterable[Experiment]) -> list[Experiment]:
    """This person's experiments that have stopped and wait to be closed with a note, without those in `but`."""
    if not isinstance(user, User):
        return []
    rows = Experiment.objects.filter(mine(user), status=Status.STOPPED.value).exclude(pk__in=[row.pk for row in but])
    return list(rows.select_related("moment").defer("moment__evidence").order_by("-stopped_at", "-pk")[:MOST])


def drafts(user: User | AnonymousUser, but: Iterable[Experiment]) -> list[DraftState]:
    """This person's newest drafts, without those in `but`, each with what keeps it from starting.

    Read from what lists may read: segments and SQL metrics are checked where the plan is reviewed, and a changed plan
    is known by its version.
    """
    if not isinstance(user, User) or not user.has_perm(CHANGE):
        return []
    rows = Experiment.objects.filter(mine(user), status=Status.DRAFT.value).exclude(pk__in=[row.pk for row in but])
    rows = rows.select_related("moment", "layer", "holdout").defer("moment__evidence")
    found = list(rows.prefetch_related("variants", "audience").order_by("-created_at", "-pk")[:MOST])
    why = _blocked(found)
    return [DraftState(row, why.get(row.pk, ""), row.created_at) for row in found]


def _blocked(rows: Sequence[Experiment]) -> dict[int, str]:
    """The first reason against the start of each draft, in words."""
    if not rows:
        return {}
    situations, reviews = _situations(rows), _reviews(rows)
    blocked = {}
    for row in rows:
        if row.moment is not None:
            row.moment.evidence = {}  # its promise decides nothing here, and reading it would take a query for each
        problems = validation.problems(plan_of(row), situations[row.pk])
        if problems:
            blocked[row.pk] = validation.words(problems[0])
        elif reviews[row.pk]:
            blocked[row.pk] = review_words(reviews[row.pk])
    return blocked


def _situations(rows: Sequence[Experiment]) -> dict[int, Situation]:
    others = list(
        Experiment.objects.filter(status__in=[status.value for status in LIVE])
        .order_by("key")
        .values_list("key", "flag_key", "nudges", "layer_id", "layer_low", "layer_high")
    )
    shipped = Rollout.objects.exclude(state=Rollout.State.BACK).values_list(
        "experiment__key", "flag_key", "experiment__nudges"
    )
    served: list[tuple[Any, ...]] = [*shipped, *others]
    taken: dict[str, str] = {}
    for key, flag, nudges, *_layer in served:
        taken |= dict.fromkeys(flags_of(flag, nudge_keys(nudges)), key)
    today = site_date()
    return {
        row.pk: Situation(
            today=today,
            flags_taken=tuple(
                (flag, taken[flag]) for flag in flags_of(row.flag_key, nudge_keys(row.nudges)) if flag in taken
            ),
            layer_taken=tuple(
                (key, low, high)
                for key, _flag, _nudges, layer, low, high in others
                if row.layer_id is not None and layer == row.layer_id
            ),
        )
        for row in rows
    }


def _reviews(rows: Sequence[Experiment]) -> dict[int, str]:
    """What is missing of each draft's review, a code of `plan.review.ReviewCode`; "" for nothing."""
    required = is_required()
    asked = set(
        ReviewRequest.objects.filter(experiment__in=rows, state=ReviewRequest.State.OPEN).values_list(
            "experiment_id", flat=True
        )
    )
    answers: dict[int, tuple[str, int]] = {}
    given = ReviewAnswer.objects.filter(experiment__in=rows).exclude(kind=ReviewAnswer.Kind.SKIPPED).order_by("id")
    for pk, kind, version in given.values_list("experiment_id", "kind", "version"):
        answers[pk] = (kind, version)
    return {
        row.pk: _review_code(row, answers.get(row.pk), asked=row.pk in asked)
        if required or row.drafted_by_agent
        else ""
        for row in rows
    }


def _review_code(row: Experiment, answer: tuple[str, int] | None, *, asked: bool) -> str:
    if asked:
        return ReviewCode.ASKED.value
    if answer is None:
        return ReviewCode.NONE.value
    kind, version = answer
    if kind == ReviewAnswer.Kind.CHANGES:
        return (ReviewCode.CHANGES if version == row.version else ReviewCode.REVISED).value
    return "" if version == row.version else ReviewCode.VOID.value


def result_words(found: Unread) -> str:
    """What is new, in words."""
    return _("The final result is there.") if found.final else _("There is a verdict at a planned analysis.")
