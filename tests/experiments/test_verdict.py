"""The verdict table of METHODS 5: at least two cases per row, one on each side of each boundary, and the order."""

from dataclasses import replace

import pytest

from events.reasons import NotComputable, Reason
from experiments.design import Kind
from experiments.stats.encouragement import TakeUp
from experiments.stats.placebo import Placebo
from experiments.stats.results import Estimate
from experiments.stats.validity import Inequalities
from experiments.stats.weak_instrument import AndersonRubin, Shape
from experiments.verdict import Code, Evidence, decide


def effect(estimate: float = 0.02, low: float = 0.01, high: float = 0.03, p: float = 0.001) -> Estimate:
    return Estimate(estimate, 0.005, low, high, p, 0.95, "test")


def take_up(difference: float = 0.3, low: float = 0.25, high: float = 0.35) -> TakeUp:
    return TakeUp(0.2, 0.2 + difference, difference, 0.025, low, high, 144.0, 0.95)


def interval(low: float, high: float) -> AndersonRubin:
    return AndersonRubin(Shape.INTERVAL, low, high, 0.95)


QUIET = effect(0.0, -0.01, 0.01, 0.9)


def placebo(p: float, behaviour: Estimate = QUIET) -> Placebo:
    return Placebo(effect(p=p), behaviour)


LINE = AndersonRubin(Shape.LINE, None, None, 0.95)
RAYS = AndersonRubin(Shape.RAYS, -1.0, 1.0, 0.95)
VALID = Inequalities(1.0, (0, 0), (1.0, 1.0))
BROKEN = Inequalities(0.049, (1, 0), (0.01, 0.5))

PLAIN = Evidence(
    kind=Kind.PROPORTION,
    names={"outcome": "kept", "variant": "nudge", "behaviour": "did"},
    invalid=(),
    enough=True,
    alpha=0.05,
    difference=effect(),
    narrow=effect(low=0.012, high=0.028),
    adjusted_p=0.001,
)
NUDGED = replace(
    PLAIN,
    take_up=take_up(),
    effect_set=interval(0.03, 0.1),
    narrow_set=interval(0.04, 0.09),
    inequalities=VALID,
)
NULL = replace(NUDGED, adjusted_p=0.5, effect_set=interval(-0.05, 0.05), narrow_set=interval(-0.04, 0.04))

CASES = {
    # Row 1: INVALID comes before everything.
    "srm and an effect": (replace(NUDGED, invalid=("srm",)), Code.INVALID, "srm"),
    "several variants, too small": (
        replace(PLAIN, invalid=("multi_exposure",), enough=False),
        Code.INVALID,
        "multi_exposure",
    ),
    # The floor holds for all other rows.
    "too small, though significant": (replace(NUDGED, enough=False), Code.INCONCLUSIVE, "too_small"),
    "no difference computable": (
        replace(PLAIN, difference=NotComputable(Reason.NO_VARIANCE)),
        Code.INCONCLUSIVE,
        "not_computable",
    ),
    "too few units for a difference": (
        replace(PLAIN, difference=NotComputable(Reason.TOO_FEW_UNITS)),
        Code.INCONCLUSIVE,
        "too_small",
    ),
    "behaviour asked for but not known": (
        replace(PLAIN, behaviour_missing=Reason.TOO_FEW_UNITS),
        Code.INCONCLUSIVE,
        "not_computable",
    ),
    "few clusters, though significant": (replace(NUDGED, few_clusters=True), Code.INCONCLUSIVE, "few_clusters"),
    # Row 2: the nudge lowers the behaviour; before the inequalities, which it breaks too.
    "upper limit of the first stage below 0": (
        replace(NUDGED, take_up=take_up(-0.1, -0.15, -0.0001), inequalities=BROKEN),
        Code.NUDGE_FAILED,
        "wrong_direction",
    ),
    "upper limit of the first stage exactly 0": (
        replace(NULL, take_up=take_up(-0.1, -0.15, 0.0), effect_set=LINE),
        Code.NUDGE_FAILED,
        "weak_first_stage",
    ),
    # Row 3: another path.
    "inequality rejected": (replace(NUDGED, inequalities=BROKEN), Code.NUDGE_NOT_BEHAVIOUR, "inequality"),
    "inequality p exactly alpha": (
        replace(NUDGED, inequalities=Inequalities(0.05, (1, 0), (0.025, 0.5))),
        Code.CAUSES,
        "behaviour",
    ),
    "placebo arm differs": (replace(NUDGED, placebo=placebo(0.016)), Code.NUDGE_NOT_BEHAVIOUR, "placebo"),
    "placebo arm differs, not after Holm": (replace(NUDGED, placebo=placebo(0.017)), Code.CAUSES, "behaviour"),
    "placebo and effect, the inequality speaks louder": (
        replace(NUDGED, placebo=placebo(0.01), inequalities=Inequalities(0.002, (1, 0), (0.001, 0.5))),
        Code.NUDGE_NOT_BEHAVIOUR,
        "inequality",
    ),
    "placebo that moved the behaviour itself": (
        replace(NUDGED, placebo=placebo(0.001, effect(p=0.0499))),
        Code.CAUSES,
        "behaviour",
    ),
    "placebo that moved the behaviour, not quite": (
        replace(NUDGED, placebo=placebo(0.001, effect(p=0.05))),
        Code.NUDGE_NOT_BEHAVIOUR,
        "placebo",
    ),
    "placebo that can't be computed": (
        replace(NUDGED, placebo=Placebo(NotComputable(Reason.TOO_FEW_UNITS), QUIET)),
        Code.CAUSES,
        "behaviour",
    ),
    "effect without first stage": (
        replace(NUDGED, take_up=take_up(0.002, -0.005, 0.0099), effect_set=LINE),
        Code.NUDGE_NOT_BEHAVIOUR,
        "effect_without_first_stage",
    ),
    "first stage at its minimum": (
        replace(NUDGED, take_up=take_up(0.002, -0.005, 0.01), effect_set=LINE),
        Code.INCONCLUSIVE,
        "weak_first_stage",
    ),
    # Row 4: nothing moved, nothing said.
    "no effect, unbounded set": (replace(NULL, effect_set=RAYS), Code.NUDGE_FAILED, "weak_first_stage"),
    "no effect, tiny first stage": (
        replace(NULL, take_up=take_up(0.005, 0.001, 0.009)),
        Code.NUDGE_FAILED,
        "weak_first_stage",
    ),
    # Row 5: material or not.
    "equivalent": (replace(NULL, margin=0.041), Code.NO_MATERIAL_EFFECT, "equivalent"),
    "margin exactly at the narrow set": (replace(NULL, margin=0.04), Code.INCONCLUSIVE, "underpowered"),
    "tiny but significant": (
        replace(NUDGED, effect_set=interval(0.001, 0.01), narrow_set=interval(0.002, 0.009), margin=0.02),
        Code.NO_MATERIAL_EFFECT,
        "immaterial",
    ),
    "significant and material": (replace(NUDGED, margin=0.05), Code.CAUSES, "behaviour"),
    # Rows 6 and 7.
    "causes": (NUDGED, Code.CAUSES, "behaviour"),
    "harms": (
        replace(NUDGED, difference=effect(-0.02, -0.03, -0.01), effect_set=interval(-0.1, -0.03)),
        Code.HARMS,
        "behaviour",
    ),
    "lower end exactly 0": (replace(NUDGED, effect_set=interval(0.0, 0.1)), Code.INCONCLUSIVE, "underpowered"),
    # Row 8.
    "adjusted p exactly alpha": (replace(NUDGED, adjusted_p=0.05), Code.INCONCLUSIVE, "multiplicity"),
    "adjusted p just below alpha": (replace(NUDGED, adjusted_p=0.0499), Code.CAUSES, "behaviour"),
    "underpowered": (NULL, Code.INCONCLUSIVE, "underpowered"),
    "significant, unbounded": (replace(NUDGED, effect_set=RAYS), Code.INCONCLUSIVE, "weak_first_stage"),
    # A plain A/B test: the nudge alone.
    "plain gain": (PLAIN, Code.CAUSES, "nudge"),
    "plain harm": (replace(PLAIN, difference=effect(-0.02, -0.03, -0.01)), Code.HARMS, "nudge"),
    "plain, adjusted p exactly alpha": (replace(PLAIN, adjusted_p=0.05), Code.INCONCLUSIVE, "multiplicity"),
    "plain, raw p exactly alpha": (
        replace(PLAIN, difference=effect(p=0.05), adjusted_p=0.05),
        Code.INCONCLUSIVE,
        "no_difference",
    ),
    "plain equivalent": (
        replace(PLAIN, adjusted_p=0.4, narrow=effect(low=-0.019, high=0.019), margin=0.02),
        Code.NO_MATERIAL_EFFECT,
        "equivalent",
    ),
    "plain significant but immaterial": (
        replace(PLAIN, narrow=effect(low=0.001, high=0.019), margin=0.02),
        Code.NO_MATERIAL_EFFECT,
        "immaterial",
    ),
    "plain, limit exactly at the margin": (
        replace(PLAIN, difference=effect(p=0.4), adjusted_p=0.4, narrow=effect(low=-0.02, high=0.019), margin=0.02),
        Code.INCONCLUSIVE,
        "no_difference",
    ),
}


@pytest.mark.parametrize(("evidence", "code", "reason"), CASES.values(), ids=CASES.keys())
def test_decide__first_matching_row__gives_the_code(evidence: Evidence, code: Code, reason: str) -> None:
    verdict = decide(evidence)

    assert (verdict.code, verdict.reason) == (code, reason)
