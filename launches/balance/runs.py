"""Play the rules of an event as a run, promise what it comes to, and compare the promise with what happened."""

from dataclasses import replace

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from events.warehouse.session import questions
from launches.balance import kept
from launches.balance.gather import gather, gather_event
from launches.balance.rules import Rules, read, write
from launches.balance.simulation import BALANCE, BalanceReport, Found, balance, happened
from launches.models import BalanceRun
from runs.models import Run
from runs.payloads import Unreadable
from runs.perform import Computation, enqueue
from runs.progress import Early, Progress
from runs.refusals import Refused
from runs.site_zone import site_date


def create_balance(*, rules: Rules, by: User | None = None) -> BalanceRun:
    """Store rules that wait for their play."""
    run = _balance(rules, by)
    run.save()
    return run


def start_balance(*, rules: Rules, by: User | None = None) -> BalanceRun:
    """Store rules and queue their play.

    Raises:
        Refused: it would read more than the budget; nothing is stored then.
    """
    return enqueue(_balance(rules, by))


def _balance(rules: Rules, by: User | None) -> BalanceRun:
    return BalanceRun(title=rules.title, inputs=write(rules), seed=rules.seed, created_by=by)


def rules_of(run: BalanceRun) -> Rules:
    """The rules of a stored run."""
    return read(run.inputs)


def promise(*, run: BalanceRun, by: User | None = None) -> None:
    """Mark a balance as what was promised; what happens is held against it later.

    Raises:
        Refused: it isn't finished, compares something itself, or the event has begun.
    """
    if run.status != Run.Status.DONE or run.of_id is not None:
        raise Refused("Only a finished balance can be a promise.")
    first = rules_of(run).first
    if site_date() >= first:
        raise Refused("The event began on {day}: a promise is made before.", day=first)
    with transaction.atomic():
        row = BalanceRun.objects.light().select_for_update(of=("self",)).get(pk=run.pk)
        if row.promised_at is None:  # the first promise stands
            row.promised_at, row.promised_by = timezone.now(), by
            row.save(update_fields=["promised_at", "promised_by"])


def start_comparison(*, run: BalanceRun, by: User | None = None) -> BalanceRun:
    """Queue the comparison of a balance with what came of its event.

    Raises:
        Refused: it isn't finished, the event isn't over, or it would read more than the budget; nothing is stored then.
    """
    if run.status != Run.Status.DONE or run.of_id is not None:
        raise Refused("Only a finished balance can be compared with what happened.")
    rules = rules_of(run)
    if site_date() <= rules.last:
        raise Refused("The event isn't over: its last day is {day}.", day=rules.last)
    return enqueue(BalanceRun(title=run.title, inputs=run.inputs, seed=run.seed, of=run, created_by=by))


def with_threshold(rules: Rules, place: int, found: Found) -> Rules:
    """The rules with a step at the threshold that was found.

    Raises:
        Refused: it lies outside those of its neighbours.
    """
    points = [step.points for step in rules.steps]
    below = points[place - 1] if place else 0.0
    above = points[place + 1] if place + 1 < len(points) else float("inf")
    if not below < found.points < above:
        raise Refused(
            "That share has {points} points, which isn't between the steps beside it.",
            points=f"{found.points:g}",
            at="reach",
        )
    steps = list(rules.steps)
    steps[place] = replace(steps[place], points=found.points)
    return replace(rules, steps=tuple(steps))


def next_rules(run: BalanceRun) -> Rules:
    """The rules to begin the next event from: those of this run, with the response that its event had."""
    rules, report = rules_of(run), BALANCE.of(run)
    if not isinstance(report, BalanceReport) or report.happened is None or report.happened.response is None:
        return rules
    return replace(rules, response=report.happened.response)


def _compute(run: BalanceRun, progress: Progress, _early: Early) -> BalanceReport:
    rules = rules_of(run)
    progress("past", 0.0)
    with questions() as store:
        BalanceRun.objects.filter(pk=run.pk).update(as_of=store.basis.data_end)
        if run.of is not None:
            promised = BALANCE.of(run.of)
            if promised is None or isinstance(promised, Unreadable):
                raise Refused("The promise can't be read by this version any more.")
            days = gather_event(store, rules)
            return BalanceReport(promised.balance, happened(*days, promised.balance))
        past = gather(store, rules)
    progress("play", 0.6)
    kept.keep(run.pk, past)
    return BalanceReport(balance(past, rules))


run_balance = Computation(BalanceRun, _compute, BALANCE.store)
