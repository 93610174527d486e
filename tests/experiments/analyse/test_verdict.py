"""docs/methods/verdict.md: at least two cases per row, one on each side of each boundary, and the order."""

from dataclasses import replace

import pytest

from experiments.analyse.codes import Code, code_words
from experiments.analyse.verdict import Evidence, Verdict, decide
from experiments.plan.design import Kind
from experiments.report.verdict import verdict_sentence
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.encouragement import TakeUp
from stats.instrument.validity import Inequalities
from stats.results import Estimate, NotComputable, Reason


def effect(estimate: float = 0.02, low: float = 0.01, high: float = 0.03, p: float = 0.001) -> Estimate:
    return Estimate(estimate, 0.005, low, high, p, 0.95, "test")


def take_up(difference: float = 0.3, low: float = 0.25, high: float = 0.35) -> TakeUp:
    return TakeUp(0.2, 0.2 + difference, difference, 0.025, low, high, 144.0, 0.95)


def interval(low: float, high: float) -> AndersonRubin:
    return AndersonRubin(Shape.INTERVAL, low, high, 0.95)


LINE = AndersonRubin(Shape.LINE, None, None, 0.95)
RAYS = AndersonRubin(Shape.RAYS, -1.0, 1.0, 0.95)
EMPTY = AndersonRubin(Shape.EMPTY, None, None, 0.95)


def rays(low: float, high: float) -> AndersonRubin:
    return AndersonRubin(Shape.RAYS, low, high, 0.95)


def half_line(low: float | None, high: float | None) -> AndersonRubin:
    return AndersonRubin(Shape.HALF_LINE, low, high, 0.95)


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
    PLAIN, take_up=take_up(), effect_set=interval(0.03, 0.1), narrow_set=interval(0.04, 0.09), inequalities=VALID
)
NULL = replace(
    NUDGED, difference=effect(p=0.5), adjusted_p=0.5, effect_set=interval(-0.05, 0.05), narrow_set=interval(-0.04, 0.04)
)

WITHOUT = "effect_without_first_stage"
CASES = {
    # Row 1: INVALID comes before everything.
    "srm and an effect": (replace(NUDGED, invalid=("srm",)), Code.INVALID, "srm"),
    "srm, an effect and a placebo": (replace(NUDGED, invalid=("srm",), comparator="placebo"), Code.INVALID, "srm"),
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
    # Row 3: the nudge lowers the behaviour; before the inequalities, which it breaks too.
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
    # Row 4: another path.
    "inequality rejected": (replace(NUDGED, inequalities=BROKEN), Code.NUDGE_NOT_BEHAVIOUR, "inequality"),
    "inequality p exactly alpha": (
        replace(NUDGED, inequalities=Inequalities(0.05, (1, 0), (0.025, 0.5))),
        Code.CAUSES,
        "behaviour",
    ),
    "a placebo that moves the behaviour too: no verdict of its own": (
        replace(NUDGED, comparator="placebo", placebo_moves=True),
        Code.CAUSES,
        "behaviour",
    ),
    "placebo and effect: against the placebo the inequality still comes first": (
        replace(NUDGED, comparator="placebo", inequalities=BROKEN),
        Code.NUDGE_NOT_BEHAVIOUR,
        "inequality",
    ),
    "inequality rejected though the nudge does nothing": (
        replace(NULL, inequalities=BROKEN),
        Code.NUDGE_NOT_BEHAVIOUR,
        "inequality",
    ),
    "inequality rejected, the set unbounded": (
        replace(NULL, inequalities=BROKEN, effect_set=LINE),
        Code.NUDGE_NOT_BEHAVIOUR,
        "inequality",
    ),
    # Row 5: a share can't change by more than everybody.
    "set begins beyond 1": (replace(NUDGED, effect_set=interval(1.001, 4.0)), Code.NUDGE_NOT_BEHAVIOUR, WITHOUT),
    "set begins exactly at 1": (replace(NUDGED, effect_set=interval(1.0, 4.0)), Code.CAUSES, "behaviour"),
    "set ends below -1": (replace(NUDGED, effect_set=interval(-4.0, -1.001)), Code.NUDGE_NOT_BEHAVIOUR, WITHOUT),
    "set ends exactly at -1": (replace(NUDGED, effect_set=interval(-4.0, -1.0)), Code.HARMS, "behaviour"),
    "rays beyond 1": (replace(NUDGED, effect_set=rays(-1.001, 1.001)), Code.NUDGE_NOT_BEHAVIOUR, WITHOUT),
    "rays that touch -1": (replace(NUDGED, effect_set=RAYS), Code.INCONCLUSIVE, "weak_first_stage"),
    "half-line beyond 1": (replace(NUDGED, effect_set=half_line(1.2, None)), Code.NUDGE_NOT_BEHAVIOUR, WITHOUT),
    "half-line below -1": (replace(NUDGED, effect_set=half_line(None, -1.2)), Code.NUDGE_NOT_BEHAVIOUR, WITHOUT),
    "half-line from .5 on": (replace(NUDGED, effect_set=half_line(0.5, None)), Code.INCONCLUSIVE, "weak_first_stage"),
    "empty set": (replace(NUDGED, effect_set=EMPTY), Code.NUDGE_NOT_BEHAVIOUR, WITHOUT),
    "beyond 1, the outcome is no share": (
        replace(NUDGED, kind=Kind.MEAN, effect_set=interval(1.001, 4.0)),
        Code.CAUSES,
        "behaviour",
    ),
    "beyond 1, adjusted p exactly alpha": (
        replace(NUDGED, adjusted_p=0.05, effect_set=interval(1.001, 4.0)),
        Code.INCONCLUSIVE,
        "multiplicity",
    ),
    # A3: how small the first stage is says nothing, as long as the set is bounded.
    "tiny first stage, bounded set": (replace(NUDGED, take_up=take_up(0.005, 0.002, 0.008)), Code.CAUSES, "behaviour"),
    "tiny first stage, the whole line": (
        replace(NUDGED, take_up=take_up(0.002, -0.005, 0.0099), effect_set=LINE),
        Code.INCONCLUSIVE,
        "weak_first_stage",
    ),
    # Rows 6 and 7: nothing moved, nothing said.
    "no effect, unbounded set": (replace(NULL, effect_set=RAYS), Code.NUDGE_FAILED, "weak_first_stage"),
    "no effect, the whole line": (replace(NULL, effect_set=LINE), Code.NUDGE_FAILED, "weak_first_stage"),
    "no effect, tiny first stage, bounded set": (
        replace(NULL, take_up=take_up(0.005, 0.001, 0.009)),
        Code.INCONCLUSIVE,
        "underpowered",
    ),
    "adjusted p exactly alpha, unbounded set": (
        replace(NUDGED, adjusted_p=0.05, effect_set=RAYS),
        Code.NUDGE_FAILED,
        "weak_first_stage",
    ),
    "no effect, unbounded set, more looks to come": (
        replace(NULL, effect_set=LINE, interim=True),
        Code.INCONCLUSIVE,
        "early",
    ),
    "upper limit of the first stage below 0, a placebo to compare with": (
        replace(NUDGED, take_up=take_up(-0.1, -0.15, -0.01), comparator="placebo"),
        Code.NUDGE_FAILED,
        "wrong_direction",
    ),
    # Row 8: material or not.
    "equivalent": (replace(NULL, margin=0.041), Code.NO_MATERIAL_EFFECT, "equivalent"),
    "margin exactly at the narrow set": (replace(NULL, margin=0.04), Code.INCONCLUSIVE, "underpowered"),
    "margin exactly at the upper end of the narrow set alone": (
        replace(NULL, narrow_set=interval(-0.03, 0.04), margin=0.04),
        Code.INCONCLUSIVE,
        "underpowered",
    ),
    "margin exactly at the lower end of the narrow set alone": (
        replace(NULL, narrow_set=interval(-0.04, 0.03), margin=0.04),
        Code.INCONCLUSIVE,
        "underpowered",
    ),
    "tiny but significant": (
        replace(NUDGED, effect_set=interval(0.001, 0.01), narrow_set=interval(0.002, 0.009), margin=0.02),
        Code.NO_MATERIAL_EFFECT,
        "immaterial",
    ),
    "significant and material": (replace(NUDGED, margin=0.05), Code.CAUSES, "behaviour"),
    # Row 9.
    "causes": (NUDGED, Code.CAUSES, "behaviour"),
    "harms, adjusted p exactly alpha": (
        replace(NUDGED, adjusted_p=0.05, difference=effect(-0.02, -0.03, -0.01), effect_set=interval(-0.1, -0.03)),
        Code.INCONCLUSIVE,
        "multiplicity",
    ),
    "upper end exactly 0": (
        replace(NUDGED, difference=effect(-0.02, -0.03, -0.01), effect_set=interval(-0.1, 0.0)),
        Code.INCONCLUSIVE,
        "underpowered",
    ),
    "causes, of whole clusters": (replace(NUDGED, cluster="guild"), Code.CAUSES, "whole_clusters"),
    "harms, of whole clusters": (
        replace(NUDGED, cluster="guild", effect_set=interval(-0.1, -0.03), narrow_set=interval(-0.09, -0.04)),
        Code.HARMS,
        "whole_clusters",
    ),
    # One who is moved may help several friends.
    "more than one unit per user moved, of whole clusters": (
        replace(NUDGED, cluster="guild", effect_set=interval(1.1, 4.0)),
        Code.CAUSES,
        "whole_clusters",
    ),
    "causes, against a placebo": (replace(NUDGED, comparator="placebo"), Code.CAUSES, "behaviour"),
    "harms": (
        replace(NUDGED, difference=effect(-0.02, -0.03, -0.01), effect_set=interval(-0.1, -0.03)),
        Code.HARMS,
        "behaviour",
    ),
    "lower end exactly 0": (replace(NUDGED, effect_set=interval(0.0, 0.1)), Code.INCONCLUSIVE, "underpowered"),
    # Rows 7, 10 and 11.
    "adjusted p exactly alpha": (replace(NUDGED, adjusted_p=0.05), Code.INCONCLUSIVE, "multiplicity"),
    "adjusted p just below alpha": (replace(NUDGED, adjusted_p=0.0499), Code.CAUSES, "behaviour"),
    "underpowered": (NULL, Code.INCONCLUSIVE, "underpowered"),
    # The set of several arms is wider than that of one: what one comparison alone would show is said.
    "alone significant, not among all": (
        replace(NULL, difference=effect(p=0.04), adjusted_p=0.12),
        Code.INCONCLUSIVE,
        "multiplicity",
    ),
    "alone exactly alpha": (
        replace(NULL, difference=effect(p=0.05), adjusted_p=0.15),
        Code.INCONCLUSIVE,
        "underpowered",
    ),
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
    "plain, upper limit exactly at the margin": (
        replace(PLAIN, difference=effect(p=0.4), adjusted_p=0.4, narrow=effect(low=-0.019, high=0.02), margin=0.02),
        Code.INCONCLUSIVE,
        "no_difference",
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


def sentence(evidence: Evidence) -> str:
    return verdict_sentence(decide(evidence))


def test_sentence__against_a_placebo__says_with_what_it_was_compared() -> None:
    for evidence in (NUDGED, replace(NUDGED, effect_set=interval(-0.1, -0.03), difference=effect(-0.02))):
        said = sentence(replace(evidence, comparator="banner b"))
        assert "compared with an equally visible placebo, banner b" in said
        assert "unless" not in said
    assert "the placebo banner b" in sentence(replace(NULL, comparator="banner b"))
    assert sentence(replace(NULL, comparator="Placebo")).casefold().count("placebo") == 1
    assert "placebo" not in sentence(NUDGED)


@pytest.mark.parametrize("moves", [True, False])
def test_sentence__placebo_that_moves_the_behaviour__says_who_the_moved_are(moves: bool) -> None:
    for evidence in (NUDGED, NULL):
        found = sentence(replace(evidence, comparator="placebo", placebo_moves=moves))
        assert ("because of the nudge and wouldn't have because of the placebo" in found) is moves
    small = sentence(replace(NUDGED, enough=False, comparator="placebo", placebo_moves=moves))
    assert "placebo" not in small


def test_sentence__analysis_of_version_0_4_against_control__says_what_the_placebo_did() -> None:
    verdict = decide(NUDGED)
    old = replace(verdict, details={**verdict.details, "placebo_estimate": 0.03, "placebo_p": 0.01})
    assert "The placebo can't be shown to leave the behaviour alone. It changed kept by 3.0 points" in verdict_sentence(
        old
    )


def test_sentence__broken_inequality__claims_nothing_of_a_nudge_that_does_nothing() -> None:
    silent, working = (sentence(replace(one, inequalities=BROKEN)) for one in (NULL, NUDGED))

    assert "The nudge itself changed kept by" not in silent
    assert "The nudge itself changed kept by 2.0 points" in working
    for said in (silent, working):
        assert "prevents some users from the behaviour" in said
        assert "Nothing is known about the behaviour itself" in said
    assert code_words(Code.NUDGE_NOT_BEHAVIOUR) == "Not only through the behaviour: nothing is known about it"


@pytest.mark.parametrize("reason", ["placebo", "inequality", "effect_without_first_stage"])
def test_sentence__verdicts_that_version_3_kept__can_still_be_read(reason: str) -> None:
    kept = Verdict(Code.NUDGE_NOT_BEHAVIOUR, reason, {**decide(NUDGED).details, "inequality_p": 0.01})

    assert "%(" not in verdict_sentence(kept)
