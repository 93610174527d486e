"""How much earlier nudges moved a behaviour: first stages of finished experiments, by segment where known.

Reads the rows of analyses directly, since `plan` may not import `analyse`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.models import Analysis
from experiments.plan.search.design_options import EVERYONE, PastTakeUp


def past_take_ups(behaviour: str, times: int, days: int) -> tuple[PastTakeUp, ...]:
    """First stages of the final analyses of tests of this behaviour, at least `times` within `days` days.

    A placebo and arms that nudge to another number are left out. A first stage needs no outcome, but that of a running
    experiment may still change.
    """
    rows = (
        Analysis.objects.filter(
            status=Analysis.Status.DONE,
            final=True,
            experiment__moment__behaviour=behaviour,
            experiment__moment__times=times,
            experiment__moment__days=days,
        )
        .order_by("experiment_id", "-pk")
        .values_list("experiment__key", "payload")
    )
    latest: dict[str, Any] = {}
    for key, payload in rows:
        latest.setdefault(key, payload)
    return tuple(one for key, payload in latest.items() for one in _of(key, payload))


def _of(key: str, payload: Any) -> Iterator[PastTakeUp]:
    """Take-ups in a stored result; none where its shape is unexpected."""
    if not isinstance(payload, Mapping):
        return
    plan = payload.get("plan") or {}
    left_out = {plan.get("placebo"), *(plan.get("doses") or {})}
    stages = [one for one in payload.get("first_stage") or [] if one.get("variant") not in left_out]
    for one in stages:
        nudge = key if len(stages) == 1 else f"{key}/{one['variant']}"
        by_segment = [(row[0], row[1]) for row in one.get("by_segment") or [] if row[0]]
        for segment, stage in [(EVERYONE, one.get("take_up")), *by_segment]:
            if isinstance(stage, Mapping) and "difference" in stage:
                yield PastTakeUp(nudge, segment, float(stage["difference"]), float(stage["standard_error"]))
