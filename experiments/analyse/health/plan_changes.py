"""Checks of the plan and notes on this reading. Pure."""

from collections.abc import Iterator

from events.metrics import first_day, parse_metric
from experiments.analyse.findings import Detail, Finding, Severity
from experiments.analyse.health.stored_context import StoredContext


def check_progress(context: StoredContext) -> Iterator[Finding]:
    """Notes on the reading, and on what a person should do next."""
    if context.standing.peeked:
        yield Finding("peeked", Severity.WARNING, {"share": context.standing.fraction})
    before = [look for look in context.earlier if look.peeked]
    if before and not context.standing.peeked:
        yield Finding("peeked_before", Severity.WARNING, {"day": before[0].on.isoformat(), "share": before[0].fraction})
    if not context.plan.same_split:
        yield Finding("split_differs", Severity.INFO)
    planned = context.plan.planned_units
    if context.running and planned and sum(context.standing.exposed.values()) >= planned:
        yield Finding("planned_size_reached", Severity.INFO, {"n": planned})


def check_windows(context: StoredContext) -> Iterator[Finding]:
    """The behaviour's window must end before the outcome's begins: docs/methods/discovery.md, "Window guard"."""
    claim = context.plan.claim
    if claim is None:
        return
    for name in context.plan.primary:
        begins = first_day(parse_metric(name))
        if begins is not None and begins < claim.days:
            details: dict[str, Detail] = {"outcome": name, "days": claim.days, "day": begins}
            yield Finding("window_overlap", Severity.ERROR, details, invalid="window_overlap")


def check_plan(context: StoredContext) -> Iterator[Finding]:
    """Report a plan that was changed without a logged amendment (verdict INVALID), and list logged amendments."""
    if not context.plan.intact:
        yield Finding("plan_changed", Severity.ERROR, {}, invalid="plan_changed")
    if context.plan.amendments:
        yield Finding("amended", Severity.INFO, {"n": len(context.plan.amendments)})
