"""The plan of an experiment: the record from which everything else about a plan is derived. Pure.

`stored` reads it from the row; `derived` makes from it what sizes, queries, judges, serves or shows a plan. Shares are
integers of 0.01 % ("steps"), so that they add up exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from experiments.plan.fields import LISTS as LISTS
from experiments.plan.fields import (
    ClockZero,
    DayMode,
    Enrolment,
    Lock,
    Method,
    Otherwise,
    Part,
    Primary,
    Spending,
    ValueType,
    fields_of,
)
from experiments.plan.fields import ExperimentKind as ExperimentKind
from experiments.plan.fields import Kind as Kind
from experiments.plan.fields import PlanField as PlanField
from reporting.words import later as _

if TYPE_CHECKING:
    from stats.summaries import Array

WHOLE = 10_000  # steps of 0.01 %
MOST_UNITS = 2**31 - 1  # of an integer column
MOST_NUDGES = 8  # of a lab, as `stats.instrument.lab` has it, likewise
MOST_OTHERS = 12  # as `stats.instrument.other_behaviours` has it, which a web worker doesn't load
DAYS_BEFORE = "active_days_before"  # name of the covariate that `Plan.active_days_before` requests


@dataclass(frozen=True)
class PlannedVariant:
    """One arm: key, value and weight in steps of 0.01 %. The first of a plan is the control.

    Attributes:
        role: `nudge`, `placebo` (as loud, towards something inert) or `dose` (nudges to another number of times).
        dose: that number.
        name: display name; empty for the key.
    """

    key: str
    value: Any
    weight: int
    role: str = "nudge"
    dose: int | None = None
    name: str = ""


@dataclass(frozen=True)
class PlannedRow:
    """One row of the audience.

    Attributes:
        segment: key of the segment; None for everyone.
        coverage: share of it that is enrolled, in steps.
        weights: of the arms, in steps; None for the variants' own.
        rule: the segment's rule, copied at the start; None for published membership.
    """

    segment: str | None
    coverage: int
    weights: tuple[int, ...] | None = None
    rule: Any = None


@dataclass(frozen=True)
class Slice:
    """Range of draws under its own seed that may take part, in steps: a layer's slice, or all but a holdout."""

    seed: str
    low: int
    high: int


@dataclass(frozen=True)
class Claim:
    """The AHA moment under test, with what its study promised.

    Attributes:
        key: of the moment.
        name: display name.
        behaviour: behaviour text.
        times: Z.
        days: Y, so that the behaviour counts on days 0 to Y-1.
        retention: definition by which the study labelled users.
        promised: retention of those who did it minus that of those who didn't, as observed; None without a study.
        promised_low: lower limit of its interval.
        promised_high: upper limit.
    """

    key: str
    name: str
    behaviour: str
    times: int
    days: int
    retention: str
    promised: float | None = None
    promised_low: float | None = None
    promised_high: float | None = None


@dataclass(frozen=True)
class PlannedOther:
    """Another behaviour that the nudge may move (docs/methods/joint.md, "Other behaviours").

    Attributes:
        behaviour: behaviour text.
        times: it counts as done from this many times on, on the days of the claim.
        low: smallest effect that it may have on the first outcome of those who do it, in the outcome's unit; at most 0.
        high: largest; at least 0.
        origin: of these limits, an `Origin`.
        consequence: why the claim's behaviour leads to it, so that it is part of how that works; "" where it is none.
    """

    behaviour: str
    times: int
    low: float
    high: float
    origin: str
    consequence: str = ""


@dataclass(frozen=True)
class PlannedNudge:
    """One nudge of a lab, drawn by itself (docs/methods/joint.md, "The lab").

    Attributes:
        key: of its flag, after the lab's: `KEY.NUDGE`.
        share: of users who get it, in steps.
        behaviour: that it leads to, behaviour text; `times` from which it counts as done, on the days of the claim.
        take_up: expected share of users whom it moves to that behaviour.
        spill: expected share of users whom it moves to each of the other behaviours.
        name: display name; empty for the key.
        words: what users see.
    """

    key: str
    share: int
    behaviour: str
    times: int = 1
    take_up: float = 0.1
    spill: float = 0.0
    name: str = ""
    words: str = ""


@dataclass(frozen=True)
class GuardrailRule:
    """Requirement on a guardrail before a variant is shipped (docs/methods/decision.md, "The decision table").

    Attributes:
        direction: which way is better, `higher` or `lower`.
        margin: a loss of this size or more is harm; absolute, above 0, in the guardrail's own unit (0.01 = one point).
    """

    direction: str
    margin: float


@dataclass(frozen=True)
class Plan:
    """All decisions about an experiment. `alpha`, `power`, `expected_take_up` 0 to 1.

    Attributes:
        key: of the experiment; `flag` is the flag key that callers request.
        claim: the AHA moment under test; None without one.
        value_type: type of the flag's values; `default` is the value for units outside the experiment.
        primary: outcomes that the verdict may rest on, metric texts; then `secondary` and `guardrails`.
        guardrail_rules: by guardrail; one without a rule is watched, but can't be shown to be unharmed.
        otherwise: the decision where neither success with all guardrails unharmed nor harm is proved: `ship`, `dont` or
            `ask`.
        alpha: two-sided error rate over all outcomes, arms and looks.
        smallest_effect: smallest effect of interest, absolute; of the behaviour among compliers, where a moment is
            named.
        planned_effect: effect to size for, in the same unit; None for the smallest effect. The verdict doesn't use it.
        expected_take_up: expected share of units that the nudge moves.
        method: `fixed`, `group_sequential`, `always_valid`.
        looks: planned looks as ascending shares of the planned units, the last one 1; empty for five equal ones.
        spending: how planned looks spend alpha: `obrien_fleming` or `pocock`.
        planned_units: of all arms.
        covariates: properties of the signup event.
        adjustment: which comparison decides: `unadjusted`, `lin` (adjusted for the covariates) or `lin_predicted`
            (adjusted for the first outcome as earlier users' covariates predict it). Column and API call it `primary`.
        active_days_before: above 0, active days within so many days before the exposure are a covariate, too.
        clock: which moment is day 0, `exposure` or `signup`; `day_mode` is `rolling` or `calendar`.
        churn_gap: days without an event that count as churn.
        enrolment: `all` or `new_units`, those who signed up after the start.
        audience: in order; the first row that matches decides; none means everyone.
        layer: the slice of its layer; None without one.
        holdout: all draws outside its holdout; None without one.
        remote_only: True when the configuration must not leave the server.
        sources: numbers of the sources whose client keys report exposures.
        seed: of the draw, with `hash_version`.
        cluster: attribute with the id of a unit's cluster, which is drawn instead of the unit; empty for units.
        saturations: that a cluster may draw: the share of its units that is nudged and the share of clusters with it,
            both in steps. Empty where a cluster has one arm.
        others: behaviours that the nudge may move, too. Empty for plans before 0.5, which measured none.
        kind: `test`, or `lab`, whose variants are the sets of its nudges.
        nudges: of a lab.
        most_nudges: at most so many of them for one unit; None for any number.
    """

    key: str
    flag: str
    hypothesis: str
    variants: tuple[PlannedVariant, ...]
    value_type: str
    default: Any
    primary: tuple[str, ...]
    planned_units: int | None
    planned_end: date | None
    smallest_effect: float | None
    name: str = ""
    nudge: str = ""
    claim: Claim | None = None
    secondary: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    guardrail_rules: Mapping[str, GuardrailRule] = field(default_factory=dict)
    otherwise: str = "ask"
    alpha: float = 0.05
    power: float = 0.8
    planned_effect: float | None = None
    expected_take_up: float | None = None
    method: str = "fixed"
    looks: tuple[float, ...] = ()
    spending: str = "obrien_fleming"
    covariates: tuple[str, ...] = ()
    signup_event: str = "signup"
    clock: str = "exposure"
    day_mode: str = "rolling"
    churn_gap: int = 7
    enrolment: str = "all"
    audience: tuple[PlannedRow, ...] = ()
    layer: Slice | None = None
    holdout: Slice | None = None
    remote_only: bool = False
    sources: tuple[int, ...] = ()
    seed: str = ""
    hash_version: int = 2
    adjustment: str = "unadjusted"
    active_days_before: int = 0
    cluster: str = ""
    saturations: tuple[tuple[int, int], ...] = ()
    others: tuple[PlannedOther, ...] = ()
    kind: str = "test"
    nudges: tuple[PlannedNudge, ...] = ()
    most_nudges: int | None = None

    @property
    def is_lab(self) -> bool:
        """True for a plan with several nudges, each drawn by itself."""
        return self.kind == ExperimentKind.LAB

    @property
    def measured_beside(self) -> tuple[tuple[str, int], ...]:
        """Behaviours, with their times, that are measured beside the claim's: first those of a lab's nudges."""
        if self.claim is None:
            return ()
        aimed = ((nudge.behaviour, nudge.times) for nudge in self.nudges)
        others = ((other.behaviour, other.times) for other in self.others)
        own = (self.claim.behaviour, self.claim.times)
        return tuple(pair for pair in dict.fromkeys((*aimed, *others)) if pair != own)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All outcomes in order, each once."""
        return tuple(dict.fromkeys((*self.primary, *self.secondary, *self.guardrails)))

    @property
    def weights(self) -> tuple[int, ...]:
        """Weights of the variants, in steps."""
        return tuple(variant.weight for variant in self.variants)

    @property
    def placebo(self) -> int | None:
        """Index of the placebo arm; None without one. Control never counts, whatever its role."""
        places = (at for at, variant in enumerate(self.variants) if at > 0 and variant.role == "placebo")
        return next(places, None)

    @property
    def arms(self) -> tuple[str, ...]:
        """Keys of the variants, control first."""
        return tuple(variant.key for variant in self.variants)

    @property
    def placebo_arm(self) -> str | None:
        """Key of the placebo arm; None without one."""
        return None if self.placebo is None else self.variants[self.placebo].key

    @property
    def doses(self) -> Mapping[str, int]:
        """Number of times that a dose arm nudges to, by arm."""
        return {arm.key: arm.dose for arm in self.variants[1:] if arm.role == "dose" and arm.dose is not None}

    @property
    def shares(self) -> Mapping[str, tuple[float, ...]]:
        """Planned share of each arm by segment ("" for everyone), in the order of the variants."""
        rows = {row.segment or "": self.weights if row.weights is None else row.weights for row in self.audience}
        return {segment: shares_of(weights) for segment, weights in (rows or {"": self.weights}).items()}

    @property
    def same_split(self) -> bool:
        """False when segments have different planned shares: arms then differ in their mix of segments."""
        return len(set(self.shares.values())) == 1

    @property
    def inside_clusters(self) -> bool:
        """True when a behaviour is tested by comparing units within partly nudged clusters.

        Source: docs/methods/clusters.md.
        """
        partly = any(0 < share < WHOLE for share, _weight in self.saturations)
        return bool(self.cluster) and self.claim is not None and partly

    @property
    def measured(self) -> str:
        """Text key of what a look at the first outcome measures; looks with other keys aren't comparable."""
        claim = self.claim
        moment = "" if claim is None else f"{claim.behaviour} {claim.times} {claim.days}"
        inside = ("inside clusters",) if self.inside_clusters else ()
        return " | ".join((self.primary[0], self.clock, self.day_mode, self.variants[0].key, moment, *inside))


def shares_of(steps: Iterable[int]) -> tuple[float, ...]:
    """Steps of 0.01 % as shares, 0 to 1."""
    return tuple(step / WHOLE for step in steps)


class PlanColumns:
    """The table of plan fields: each column of an experiment that people plan, with its type, once.

    A new field: its line here and in `Plan`, its use, its test (docs/map.md, "How to add"). The order is that of
    templates and amendments; `Part` gives the API's and the admin's.
    """

    key: Annotated[
        str,
        PlanField(
            kind=Kind.TEXT,
            part=Part.QUESTION,
            lock=Lock.FROZEN,
            label=_("key"),
            api="letters, digits, dots, dashes, underscores",
            most=128,
            unique=True,
            copied=False,
        ),
    ]
    flag_key: Annotated[
        str,
        PlanField(
            kind=Kind.TEXT,
            part=Part.QUESTION,
            lock=Lock.FROZEN,
            label=_("flag key"),
            plan="flag",
            step="variants",
            title=_("Flag key"),
            help=_("What the service asks for. One live experiment per flag."),
            api="key under which clients ask for the flag; default: the key of the experiment",
            most=128,
            indexed=True,
            filled=True,
            agents=False,
        ),
    ]
    value_type: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.VALUES,
            lock=Lock.FROZEN,
            label=_("type of value"),
            step="variants",
            title=_("Type of value"),
            usual="boolean",
            default=ValueType.STRING.value,
            most=10,
            choices={
                ValueType.STRING: _("text"),
                ValueType.INTEGER: _("whole number"),
                ValueType.NUMBER: _("number"),
                ValueType.BOOLEAN: _("yes or no"),
                ValueType.JSON: _("JSON"),
            },
        ),
    ]
    default_value: Annotated[
        Any,
        PlanField(
            kind=Kind.VALUE,
            part=Part.VALUES,
            lock=Lock.FROZEN,
            label=_("value outside the experiment"),
            plan="default",
            step="variants",
            title=_("Value outside the experiment"),
            help=_("Everybody else gets it, and everybody after the stop."),
            usual="false",
        ),
    ]
    seed: Annotated[str, PlanField(kind=Kind.OWN, part=Part.DRAW, lock=Lock.FROZEN, agents=False, copied=False)]
    hash_version: Annotated[int, PlanField(kind=Kind.OWN, part=Part.DRAW, lock=Lock.FROZEN, agents=False, copied=False)]
    enrolment: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.AUDIENCE,
            lock=Lock.FROZEN,
            label=_("enrolment"),
            step="audience",
            title=_("Who"),
            usual="new_units",
            api="units that can be enrolled",
            default=Enrolment.ALL.value,
            most=10,
            choices={
                Enrolment.ALL: _("everyone in the audience"),
                Enrolment.NEW_UNITS: _("only users who signed up after the start"),
            },
        ),
    ]
    layer_id: Annotated[
        int | None,
        PlanField(
            kind=Kind.OWN, part=Part.AUDIENCE, lock=Lock.FROZEN, plan="layer", step="audience", usual="", agents=False
        ),
    ]
    layer_low: Annotated[
        int,
        PlanField(
            kind=Kind.STEPS,
            part=Part.AUDIENCE,
            lock=Lock.FROZEN,
            label=_("slice from, in steps of 0.01 %"),
            plan="layer",
            step="audience",
            title=_("Slice from (%)"),
            usual="0",
            admin_label=_("slice from (%)"),
            api="in hundredths of a percent: 10000 is 100%",
            default=0,
            least=0,
            most=WHOLE,
            optional=True,
            agents=False,
        ),
    ]
    layer_high: Annotated[
        int,
        PlanField(
            kind=Kind.STEPS,
            part=Part.AUDIENCE,
            lock=Lock.FROZEN,
            label=_("slice to"),
            plan="layer",
            step="audience",
            title=_("Slice to (%)"),
            usual="100",
            admin_label=_("slice to (%)"),
            api="in hundredths of a percent: 10000 is 100%",
            default=WHOLE,
            least=0,
            most=WHOLE,
            optional=True,
            agents=False,
        ),
    ]
    holdout_id: Annotated[
        int | None,
        PlanField(
            kind=Kind.OWN, part=Part.AUDIENCE, lock=Lock.FROZEN, plan="holdout", step="audience", usual="", agents=False
        ),
    ]
    moment_id: Annotated[
        int | None, PlanField(kind=Kind.OWN, part=Part.CLAIM, lock=Lock.FROZEN, plan="claim", step="hypothesis")
    ]
    cluster: Annotated[
        str,
        PlanField(
            kind=Kind.NAME,
            part=Part.CLUSTERS,
            lock=Lock.FROZEN,
            label=_("attribute whose clusters are drawn"),
            step="audience",
            title=_("Cluster"),
            help=_(
                "An attribute such as guild or class, sent in the context or stored as a trait. Its value is drawn "
                "instead of the user, so that all users of a cluster are in one group. Users without it are left out."
            ),
            usual="",
            admin_label=_("Cluster"),
            help_in_admin=True,
            default="",
            most=64,
            db_default=True,
        ),
    ]
    saturations: Annotated[
        Any,
        PlanField(
            kind=Kind.SATURATIONS,
            part=Part.CLUSTERS,
            lock=Lock.FROZEN,
            label=_("saturations: share nudged and weight, in steps of 0.01 %"),
            step="audience",
            title=_("Saturations (%)"),
            help=_(
                "Only with a cluster, to measure what a nudge does to those beside the nudged: share of a cluster "
                "that is nudged, and share of clusters with it. The shares of clusters add up to 100; without any, a "
                "cluster has one group."
            ),
            usual="",
            admin_label=_("Saturations (%)"),
            help_in_admin=True,
            api="pairs of the share of a cluster that is nudged and the share of clusters with it; increasing from 0, "
            "in hundredths of a percent",
            agents=False,
            db_default=True,
        ),
    ]
    name: Annotated[
        str,
        PlanField(
            kind=Kind.TEXT,
            part=Part.QUESTION,
            lock=Lock.OPEN,
            label=_("name"),
            step="hypothesis",
            title=_("Name"),
            help=_("As your team calls it."),
            api="display name",
            most=200,
            filled=True,
            words=True,
        ),
    ]
    hypothesis: Annotated[
        str,
        PlanField(
            kind=Kind.PROSE,
            part=Part.QUESTION,
            lock=Lock.OPEN,
            label=_("hypothesis"),
            step="hypothesis",
            title=_("Hypothesis"),
            help=_("If we do this, that will change, because … Without one the experiment can't start."),
            api="expected effect and its reason",
            words=True,
        ),
    ]
    nudge: Annotated[
        str,
        PlanField(
            kind=Kind.PROSE,
            part=Part.CLAIM,
            lock=Lock.OPEN,
            label=_("nudge"),
            step="variants",
            place=1,
            title=_("Nudge"),
            help=_("What users of the treatment see, and where. The developer builds what stands here."),
            api="description of the nudge",
            words=True,
        ),
    ]
    kind: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.QUESTION,
            lock=Lock.FROZEN,
            label=_("kind"),
            api="a test has groups, a lab has nudges of which each is drawn by itself",
            default=ExperimentKind.TEST.value,
            most=10,
            choices={ExperimentKind.TEST: _("test"), ExperimentKind.LAB: _("lab")},
            optional=True,
            agents=False,
            db_default=True,
        ),
    ]
    nudges: Annotated[
        Any,
        PlanField(
            kind=Kind.NUDGES,
            part=Part.VALUES,
            lock=Lock.FROZEN,
            label=_("nudges"),
            step="variants",
            title=_("Nudges"),
            help=_(
                "Each is drawn by itself for every user, so that one sample answers for all of them. Each leads to a "
                "behaviour of its own, and has a flag of its own."
            ),
            usual="",
            api="nudges of a lab, 2 to 8; its groups are made of them",
            agents=False,
            db_default=True,
        ),
    ]
    most_nudges: Annotated[
        int | None,
        PlanField(
            kind=Kind.COUNT,
            part=Part.VALUES,
            lock=Lock.FROZEN,
            label=_("nudges at once"),
            step="variants",
            title=_("At most so many nudges for one user"),
            help=_("Empty: any number, as each is drawn by itself. Fewer at once need more users."),
            usual="",
            api="at most so many nudges of a lab for one user; null for any number",
            least=1,
            most=MOST_NUDGES,
            agents=False,
        ),
    ]
    other_behaviours: Annotated[
        Any,
        PlanField(
            kind=Kind.OTHERS,
            part=Part.CLAIM,
            lock=Lock.FROZEN,
            label=_("other behaviours"),
            plan="others",
            step="hypothesis",
            title=_("Other behaviours"),
            help=_(
                "A nudge may move more than the behaviour under test. What one of these may explain at most is taken "
                "off before the behaviour is called a cause. The list is fixed at the start."
            ),
            usual="",
            api="behaviours that the nudge may move beside the behaviour under test, at most 12",
            db_default=True,
        ),
    ]
    primary_metrics: Annotated[
        Any,
        PlanField(
            kind=Kind.METRICS,
            part=Part.OUTCOMES,
            lock=Lock.JUDGING,
            label=_("primary outcomes"),
            plan="primary",
            help=_("One or two, which alone give the verdict."),
            help_in_admin=True,
            api="one or two primary outcomes",
        ),
    ]
    secondary_metrics: Annotated[
        Any,
        PlanField(
            kind=Kind.METRICS,
            part=Part.OUTCOMES,
            lock=Lock.OPEN,
            label=_("secondary outcomes"),
            plan="secondary",
            step="outcomes",
            title=_("Secondary outcomes"),
            help=_("They explain the result, and never give the verdict."),
            api="secondary outcomes",
        ),
    ]
    guardrail_metrics: Annotated[
        Any,
        PlanField(
            kind=Kind.METRICS,
            part=Part.OUTCOMES,
            lock=Lock.OPEN,
            label=_("guardrail outcomes"),
            plan="guardrails",
            step="outcomes",
            title=_("Guardrails"),
            help=_("What must not get worse while the primary outcome improves."),
            api="guardrail outcomes",
        ),
    ]
    guardrail_rules: Annotated[
        Any,
        PlanField(
            kind=Kind.RULES,
            part=Part.OUTCOMES,
            lock=Lock.JUDGING,
            label=_("rules of guardrails"),
            step="outcomes",
            title=_("Rules of guardrails"),
            help=_(
                "A loss of the margin or more is harm; 0.01 is one point of a share. Without a margin a guardrail can "
                "only warn."
            ),
            help_in_admin=True,
            api="decision rules, keyed by an entry of guardrail_metrics",
        ),
    ]
    otherwise: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.DECISION,
            lock=Lock.JUDGING,
            label=_("if neither success nor harm is proved"),
            step="outcomes",
            title=_("If neither success nor harm is proved"),
            help=_(
                "Success: a primary outcome gains, and every guardrail is proved to lose less than its margin. Then it "
                "is shipped; with proved harm it isn't."
            ),
            usual="ask",
            default=Otherwise.ASK.value,
            most=4,
            choices={
                Otherwise.SHIP: _("ship it all the same"),
                Otherwise.DONT: _("don't ship it"),
                Otherwise.ASK: _("people decide"),
            },
        ),
    ]
    alpha: Annotated[
        float,
        PlanField(
            kind=Kind.SHARE,
            part=Part.DECISION,
            lock=Lock.JUDGING,
            label=_("alpha"),
            step="plan",
            place=4,
            title=_("Alpha"),
            help=_("Chance of a false alarm when nothing happens; usually 5%."),
            usual="5%",
            api="two-sided significance level",
            default=0.05,
        ),
    ]
    power: Annotated[
        float,
        PlanField(
            kind=Kind.SHARE,
            part=Part.DECISION,
            lock=Lock.OPEN,
            label=_("power"),
            step="plan",
            place=5,
            title=_("Power"),
            help=_("Chance to find an effect of this size; usually 80%."),
            usual="80%",
            api="probability to detect the planned effect",
            default=0.8,
        ),
    ]
    smallest_effect: Annotated[
        float | None,
        PlanField(
            kind=Kind.EFFECT,
            part=Part.DECISION,
            lock=Lock.JUDGING,
            label=_("smallest effect of interest"),
            step="plan",
            place=0,
            title=_("Smallest effect of interest"),
            help=_(
                "A smaller effect isn't worth acting on, and the verdict says so. Write 2 for 2 points of a share; "
                "0.02 is the same. With a take-up it is the effect on users who change their behaviour."
            ),
            summed=True,
            api="smallest effect of interest, absolute",
        ),
    ]
    planned_effect: Annotated[
        float | None,
        PlanField(
            kind=Kind.EFFECT,
            part=Part.DECISION,
            lock=Lock.OPEN,
            label=_("planned effect"),
            step="plan",
            place=0,
            title=_("Planned effect"),
            help=_("What you hope for: the size is computed for it. Empty: the smallest effect of interest."),
            usual="",
            summed=True,
            api="absolute effect that the sample size is computed for",
        ),
    ]
    method: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.LOOKS,
            lock=Lock.JUDGING,
            label=_("method"),
            step="plan",
            place=2,
            title=_("When to analyse"),
            help=_("Interim analyses cost users. A single analysis needs the fewest."),
            usual="fixed",
            summed=True,
            api="when the outcome can be read",
            default=Method.FIXED.value,
            most=20,
            choices={
                Method.FIXED: _("one analysis, on the day of the result"),
                Method.GROUP_SEQUENTIAL: _("planned interim analyses"),
                Method.ALWAYS_VALID: _("any time"),
            },
        ),
    ]
    # Locked as what judges: it sets the test whether a placebo leaves the behaviour alone.
    expected_take_up: Annotated[
        float | None,
        PlanField(
            kind=Kind.SHARE,
            part=Part.SIZE,
            lock=Lock.JUDGING,
            label=_("expected take-up"),
            step="plan",
            place=1,
            title=_("Expected take-up"),
            help=_("Share of users who do it because of the nudge; for an ordinary nudge 10%."),
            usual="10%",
            summed=True,
            api="expected take-up: share of units that the nudge moves to the behaviour, 0 to 1",
        ),
    ]
    planned_units: Annotated[
        int | None,
        PlanField(
            kind=Kind.COUNT,
            part=Part.SIZE,
            lock=Lock.JUDGING,
            label=_("planned users"),
            step="plan",
            place=6,
            title=_("Planned users"),
            help=_("Of all groups together. Leave it empty and take the suggestion."),
            usual="",
            summed=True,
            api="total units of all arms",
            least=1,
            most=MOST_UNITS,
        ),
    ]
    planned_end: Annotated[
        date | None,
        PlanField(
            kind=Kind.DATE,
            part=Part.SIZE,
            lock=Lock.JUDGING,
            label=_("planned end"),
            step="plan",
            place=7,
            title=_("Planned end"),
            help=_("The last day on which users are enrolled. The result comes when the outcome of the last is known."),
            usual="",
            summed=True,
            api="the last day of enrolment",
            copied=False,
        ),
    ]
    # Expected values where the log has none: used for the size, never for the verdict.
    expected_daily_units: Annotated[
        int | None,
        PlanField(
            kind=Kind.COUNT,
            part=Part.EXPECTED,
            lock=None,
            label=_("new users a day, expected"),
            step="plan",
            title=_("New users a day that you expect"),
            help=_("Empty: as many as came in the last four weeks."),
            usual="",
            summed=True,
            api="new users per day; null for the mean of the last four weeks",
            least=1,
            most=MOST_UNITS,
        ),
    ]
    expected_base: Annotated[
        float | None,
        PlanField(
            kind=Kind.SHARE,
            part=Part.EXPECTED,
            lock=None,
            label=_("outcome without the nudge, expected"),
            step="plan",
            title=_("Base rate that you expect"),
            help=_("The outcome without the nudge. Empty: that of the last four weeks, else that of the study."),
            usual="",
            summed=True,
            api="base rate without the nudge; null for that of the last four weeks or, failing that, of the study",
            least=0,
            most=1,
        ),
    ]
    remote_only: Annotated[
        bool,
        PlanField(
            kind=Kind.SWITCH,
            part=Part.AUDIENCE,
            lock=Lock.OPEN,
            label=_("keep the configuration on the server"),
            default=False,
            agents=False,
            words=True,
        ),
    ]
    looks: Annotated[
        Any,
        PlanField(
            kind=Kind.LOOKS,
            part=Part.LOOKS,
            lock=Lock.JUDGING,
            label=_("planned analyses, shares of the planned users"),
            step="plan",
            title=_("Planned analyses (%)"),
            help=_("Only for planned analyses. The last one is at 100%; without any, there are five equal ones."),
            usual="",
            admin_label=_("planned analyses (%)"),
            api="increasing shares of the planned units at which the planned looks take place, ending with 1; empty "
            "for five equal steps",
        ),
    ]
    spending: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.LOOKS,
            lock=Lock.JUDGING,
            label=_("how looks spend alpha"),
            step="plan",
            title=_("How analyses spend alpha"),
            usual="obrien_fleming",
            default=Spending.OBRIEN_FLEMING.value,
            most=20,
            choices={
                Spending.OBRIEN_FLEMING: _("O'Brien-Fleming type: nearly all at the end"),
                Spending.POCOCK: _("Pocock type: evenly"),
            },
        ),
    ]
    covariates: Annotated[
        Any,
        PlanField(
            kind=Kind.NAMES,
            part=Part.DATA,
            lock=Lock.JUDGING,
            label=_("covariates: properties of the signup event"),
            step="outcomes",
            title=_("Covariates"),
            help=_("Properties of the signup event. Known before the start, they sharpen the result."),
            usual="",
            api="properties of the signup event, known before assignment",
        ),
    ]
    # The comparison that decides; the deciding outcomes are `primary_metrics`.
    primary: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.DATA,
            lock=Lock.JUDGING,
            label=_("comparison that decides"),
            plan="adjustment",
            step="plan",
            place=3,
            title=_("Comparison that decides"),
            help=_("An adjusted one needs fewer users, as far as covariates known before explain the outcome."),
            usual="unadjusted",
            summed=True,
            api="estimator of the deciding comparison: lin adjusts for the covariates, lin_predicted for the outcome "
            "they predict",
            default=Primary.UNADJUSTED.value,
            most=16,
            choices={
                Primary.UNADJUSTED: _("without covariates"),
                Primary.LIN: _("adjusted for the covariates (Lin)"),
                Primary.LIN_PREDICTED: _("adjusted for the outcome that the covariates predict (Lin)"),
            },
            optional=True,
        ),
    ]
    active_days_before: Annotated[
        int,
        PlanField(
            kind=Kind.DAYS,
            part=Part.DATA,
            lock=Lock.JUDGING,
            label=_("active days before the exposure as a covariate: within so many days"),
            step="outcomes",
            title=_("Active days before the exposure: within so many days"),
            help=_("A covariate for users who were there before, and often the best one: 14, for example. 0: none."),
            usual="14",
            api="length in days of the period before exposure whose active days are used as a covariate; 0 for none",
            default=0,
            least=0,
            most=28,  # four full weeks; each number of days makes a separate cell in the warehouse
            optional=True,
        ),
    ]
    signup_event: Annotated[
        str,
        PlanField(
            kind=Kind.NAME,
            part=Part.DATA,
            lock=Lock.JUDGING,
            label=_("signup event"),
            step="outcomes",
            title=_("Signup event"),
            usual="signup",
            api="event that starts a unit's clock; * for the first event of any kind",
            default="signup",
            most=256,
        ),
    ]
    clock: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.DATA,
            lock=Lock.JUDGING,
            label=_("day 0 begins with"),
            step="outcomes",
            title=_("Day 0 begins with"),
            usual="exposure",
            default=ClockZero.EXPOSURE.value,
            most=10,
            choices={ClockZero.EXPOSURE: _("the first exposure"), ClockZero.SIGNUP: _("the signup")},
        ),
    ]
    day_mode: Annotated[
        str,
        PlanField(
            kind=Kind.CHOICE,
            part=Part.DATA,
            lock=Lock.JUDGING,
            label=_("days are"),
            step="outcomes",
            title=_("Days are"),
            usual="rolling",
            default=DayMode.ROLLING.value,
            most=10,
            choices={DayMode.ROLLING: _("24 hours each"), DayMode.CALENDAR: _("calendar days")},
        ),
    ]
    churn_gap: Annotated[
        int,
        PlanField(
            kind=Kind.DAYS,
            part=Part.DATA,
            lock=Lock.JUDGING,
            label=_("silent days that count as churn"),
            step="outcomes",
            title=_("Silent days that count as churn"),
            usual="7",
            api="days without activity after which a user counts as churned",
            default=7,
            least=1,
            most=365,
            agents=False,
        ),
    ]
    sources: Annotated[
        Any,
        PlanField(
            kind=Kind.SOURCES,
            part=Part.AUDIENCE,
            lock=Lock.OPEN,
            label=_("sources whose client keys report exposures"),
            step="audience",
            title=_("Sources whose client keys report exposures"),
            help=_(
                "The apps and sites that show the experiment. What other client keys send is not counted; "
                "server keys and Insight's own doors always count. Left empty, a start takes the only source there is."
            ),
            usual="",
            help_in_admin=True,
            api="ids of the sources whose client keys report exposures; if empty at the start and the site has only "
            "one source, that one",
            agents=False,
        ),
    ]


FIELDS = fields_of(PlanColumns)
LOCKS = {entry.column: entry.lock for entry in FIELDS.values() if entry.lock is not None}
FROZEN = tuple(name for name, lock in LOCKS.items() if lock is Lock.FROZEN)
# The rest of the plan may be amended; each amendment is logged and shown on the report.
AMENDABLE = tuple(name for name, lock in LOCKS.items() if lock is not Lock.FROZEN)
JUDGING = tuple(name for name, lock in LOCKS.items() if lock is Lock.JUDGING)
# Texts and notes: changing them changes no number.
WORDS = frozenset(name for name, entry in FIELDS.items() if entry.words)
# A copy of a plan gets its own key, draw and dates.
COPIED = tuple(name for name in LOCKS if FIELDS[name].copied)


# The stored model that predicts new users' outcome, with its R2; `prediction` fits it. Pure.

UNADJUSTED, LIN, PREDICTED = ADJUSTMENTS = tuple(choice.value for choice in Primary)
OTHER = "other"  # the warehouse's label for pooled rare levels


@dataclass(frozen=True)
class Explained:
    """R2 of a fit on the other earlier users, measured on the newest ones.

    Attributes:
        r_squared: squared correlation of prediction and outcome, 0 to 1; 0 where the correlation is negative.
        low, high: its 95 % interval, by Fisher's z.
        learned, judged: numbers of users for the fit and for its validation.
    """

    r_squared: float
    low: float
    high: float
    learned: int
    judged: int


@dataclass(frozen=True)
class Predictor:
    """A fitted model, as text and numbers.

    Attributes:
        outcome: metric text of what it predicts; `signup_event` carries the covariates.
        link: `logit` for a share, else `identity`.
        intercept: added to the weights of a user's levels.
        weights: by covariate, by level.
        explained: its R2.
        units: users it was fitted on, including those of the validation; `first`, `last` local dates between which they
            arrived.
    """

    outcome: str
    signup_event: str
    link: str
    intercept: float
    weights: Mapping[str, Mapping[str, float]]
    explained: Explained
    units: int
    first: date
    last: date

    def predicts(self, plan: Plan) -> bool:
        """True when it predicts this plan's first outcome from this plan's covariates."""
        target = (plan.primary[:1], tuple(plan.covariates), plan.signup_event or "signup")
        return ((self.outcome,), tuple(self.weights), self.signup_event) == target

    def score(self, names: Sequence[str], labels: Sequence[Sequence[str]]) -> "Array":
        """The predicted outcome of each row of levels; a level that is new counts as a rare one."""
        import numpy as np  # web workers avoid this import

        scores = np.full(len(labels), self.intercept)
        for place, name in enumerate(names):
            weights = self.weights.get(name, {})
            rare = weights.get(OTHER, 0.0)
            scores += [weights.get(row[place], rare) for row in labels]
        return np.asarray(1 / (1 + np.exp(-scores)) if self.link == "logit" else scores)
