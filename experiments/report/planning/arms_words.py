"""Power of placebo and dose arms as lines, beside the size of a plan and on the terminal. Pure."""

from collections.abc import Callable
from functools import partial
from typing import Any

from experiments.plan.nudge_arms.arms_power import ArmsPower, DoseArms, PlaceboArm
from reporting.numbers import count, percent
from reporting.words import gettext, reason_words
from stats.results import NotComputable


def arms_rows(found: ArmsPower) -> list[tuple[str, str]]:
    """Lines of a label and its number, or the reason why there is none."""
    return [*_placebo(found.placebo), *_doses(found.doses)]


def _placebo(arm: PlaceboArm) -> list[tuple[str, str]]:
    title = (
        gettext("Placebo of {n} units: chance to show that it leaves the behaviour alone")
        if arm.planned
        else gettext("A placebo of {n} units would show that it leaves the behaviour alone with a chance of")
    )
    return [
        (title.format(n=_say(arm.units, count)), _say(arm.shown, partial(percent, digits=0))),
        (gettext("Units that the placebo and control need for it, each"), _say(arm.needed, count)),
    ]


def _doses(arms: DoseArms) -> list[tuple[str, str]]:
    title = (
        gettext("Arms that nudge to {targets} times: chance to tell a step, and an effect of each act")
        if arms.planned
        else gettext("Arms that nudge to {targets} times would tell a step, and an effect per act, with chances of")
    )
    say = partial(percent, digits=0)
    return [
        (
            title.format(targets=", ".join(map(str, arms.targets))),
            f"{_say(arms.tells_step, say)} · {_say(arms.tells_dose, say)}"
            if not isinstance(arms.tells_step, NotComputable)
            else reason_words(arms.tells_step),
        ),
        (gettext("Units that these arms need for it, together"), _say(arms.needed, count)),
    ]


def _say(value: Any, write: Callable[[Any], str]) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else write(value)
