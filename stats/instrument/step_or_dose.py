"""Arms that nudge to different numbers of acts: does it take Z of them, or does every act count?"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stats.instrument.arms import ArmsFit, fit_arms
from stats.instrument.arms_set import EffectSet, arms_effect_set
from stats.results import NotComputable, Reason, computable
from stats.summaries import Joint

STEP, DOSE = 1, 2  # columns of the treatments in (R, D, N)


class Dose(StrEnum):
    """Which reading of the behaviour the dose arms support."""

    STEP = "step"
    DOSE = "dose"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class DoseTest:
    """Does it take Z acts, or does every act count?

    Attributes:
        step: the fit with the treatment "reached Z".
        dose: the fit with the treatment "number of acts".
        answer: ``step`` when only the dose's set is empty, ``dose`` when only the step's is, else ``unclear``.
        step_set: every effect of reaching Z that all arms together don't reject; empty where none fits them.
        dose_set: the same of one act more.
    """

    step: ArmsFit | NotComputable
    dose: ArmsFit | NotComputable
    answer: Dose
    step_set: EffectSet | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - a frozen record
    dose_set: EffectSet | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - as above


def dose_test(control: Joint, arms: Sequence[Joint], *, alpha: float = 0.05) -> DoseTest:
    """Step against dose, from arms that nudge to different numbers of acts.

    The arms' joint Anderson-Rubin sets decide: they hold for weak nudges as well, where J, which is shown beside them,
    need not.

    Args:
        control: moments of (R, D, N).
        arms: the same of each nudged arm, at least two.
        alpha: error rate of each set and of each over-identification test.

    Source: Anderson and Rubin 1949; Sargan 1958; Hansen 1982; docs/methods/encouragement.md.
    """
    step, dose = (fit_arms(control, arms, treatment=column, alpha=alpha) for column in (STEP, DOSE))
    step_set, dose_set = (arms_effect_set(control, arms, treatment=one, alpha=alpha) for one in (STEP, DOSE))
    answer = Dose.UNCLEAR
    if computable(step_set) and computable(dose_set):
        empty = step_set.empty, dose_set.empty
        answer = {(False, True): Dose.STEP, (True, False): Dose.DOSE}.get(empty, Dose.UNCLEAR)
    return DoseTest(step, dose, answer, step_set, dose_set)
