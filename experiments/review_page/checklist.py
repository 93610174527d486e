"""The complete checklist of a review: checks filled in by the plan, a team's own checks, and ticks."""

from dataclasses import replace

from experiments.models import Experiment, ReviewItem, ReviewTick
from experiments.plan.review.fingerprint import fingerprint
from experiments.plan.review.ticking import code_of
from experiments.plan_page.known_numbers import Known
from experiments.review_page.automatic import CheckState, ReviewCheck, filled


def checklist(row: Experiment, known: Known) -> list[ReviewCheck]:
    """All checks of a draft, each with its tick."""
    now = fingerprint(row)
    ticks = {one.code: one for one in ReviewTick.objects.filter(experiment=row).select_related("by")}
    return [
        *(_with_reason(one, ticks.get(one.code), now) for one in filled(row, known)),
        *(_own(item, ticks.get(code_of(item)), now) for item in ReviewItem.objects.filter(active=True)),
    ]


def _with_reason(check: ReviewCheck, tick: ReviewTick | None, now: str) -> ReviewCheck:
    """A check with its tick's note; a noted reason replaces a missing placebo arm."""
    if tick is None:
        return check
    excused = check.code == "placebo" and check.state is CheckState.MISSING
    return replace(check, tick=tick, older=tick.fingerprint != now, state=CheckState.OK if excused else check.state)


def _own(item: ReviewItem, tick: ReviewTick | None, now: str) -> ReviewCheck:
    older = tick is not None and tick.fingerprint != now
    unticked = CheckState.MISSING if item.required else CheckState.WARN
    state = unticked if tick is None else CheckState.WARN if older else CheckState.OK
    return ReviewCheck(code_of(item), state, {}, item.shown, item.required, tick, older)
