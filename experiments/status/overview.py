"""Main figures of an experiment for lists, home, admin and its page: levels by arm and both effects.

Shares are levels of the first outcome among all exposed users whose outcome is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from aha.models import AhaMoment
from experiments.analyse.codes import NOT_THE_BEHAVIOUR, Code, Finding, Severity
from experiments.analyse.health.context import Context, split_of
from experiments.analyse.health.sample_ratio import SAMPLE_RATIO_UNITS, check_sample_ratio
from experiments.models import Analysis, Assignment, Experiment
from experiments.plan.lab import nudges_in, with_and_without
from experiments.plan.lifecycle import LIVE, Status
from experiments.plan.record import WHOLE
from experiments.report.health import finding_sentence
from experiments.report.names import metric_words
from experiments.status.ending import Ending, end_note, ending
from reporting.numbers import effect_limits, effect_text, p_relation, percent, significant
from reporting.words import gettext
from runs.site_zone import site_date


@dataclass(frozen=True)
class Level:
    """The outcome in one arm: its name, formatted share or mean ("" without one), and users."""

    arm: str
    text: str
    n: int


@dataclass(frozen=True)
class Effect:
    """A formatted effect with its limits ("" for an unbounded side)."""

    text: str
    limits: str


@dataclass(frozen=True)
class Headline:
    """Results of the last analysis on the first outcome.

    Attributes:
        label: outcome and population of the pair.
        levels: by arm, control first, then the leading variant.
        pair: of these, control and the leading variant.
        nudge: effect on everyone, minus control.
        behaviour: effect on compliers; None in a plain A/B test, and where the ratio isn't the behaviour's effect.
        moved: share of users that the nudge moved; "" in a plain A/B test.
        did: shares that did it in control and with the nudge; "" in a plain A/B test.
        did_more: their difference, in points.
    """

    label: str
    levels: tuple[Level, ...]
    pair: tuple[Level, ...]
    nudge: Effect | None
    behaviour: Effect | None
    moved: str
    did: str
    did_more: str

    @property
    def said(self) -> str:
        """The pair and its difference on one line."""
        shares = " → ".join(f"{level.arm} {level.text}" for level in self.pair if level.text)
        if self.nudge is None:
            return shares
        return f"{shares} ({self.nudge.text})"

    @property
    def estimate(self) -> str:
        """The effect that the verdict is about, with its limits."""
        effect = self.behaviour or self.nudge
        if effect is None:
            return ""
        return f"{effect.text} ({effect.limits})" if effect.limits else effect.text


def headline_document(figures: dict[str, Any] | None, verdict: str) -> Headline | None:
    """The figures of an analysis, formatted; None while its outcome is locked.

    Args:
        figures: the column of `experiments.models.Analysis`.
        verdict: its code; where the data are broken, or the ratio isn't the behaviour's effect, no such effect is
            shown.
    """
    if not figures or verdict == Code.INVALID:
        return None
    share = bool(figures["share"])
    first = (figures["control"], figures["variant"])  # PostgreSQL doesn't preserve the order of a document's keys
    arms = [*first, *sorted(set(figures["levels"]) - set(first))]
    rows = [(arm, figures["levels"][arm]) for arm in arms if arm in figures["levels"]]
    levels = tuple(Level(arm, _level(row["mean"], share=share), int(row["n"])) for arm, row in rows)
    took = figures["take_up"]
    is_behaviour = verdict not in NOT_THE_BEHAVIOUR
    return Headline(
        label=gettext("{outcome}, exposed users whose outcome is known").format(
            outcome=metric_words(figures["outcome"])
        ),
        levels=levels,
        pair=tuple(level for level in levels if level.arm in (figures["control"], figures["variant"])),
        nudge=_effect(figures["nudge"], share=share),
        behaviour=_effect(figures["behaviour"], share=share) if is_behaviour else None,
        moved="" if took is None else percent(took["difference"]),
        did="" if took is None else f"{percent(took['control'])} → {percent(took['variant'])}",
        did_more="" if took is None else effect_text(took["difference"], share=True, plus=True),
    )


def _level(mean: float | None, *, share: bool) -> str:
    if mean is None:
        return ""
    return percent(mean) if share else significant(mean)


def _effect(interval: dict[str, Any] | None, *, share: bool) -> Effect | None:
    if interval is None:
        return None
    low, high = interval["low"], interval["high"]
    limits = "" if low is None or high is None else effect_limits(low, high, share)
    return Effect(effect_text(interval["estimate"], share=share, plus=True), limits)


# Overview for a PM's home page: experiments under way, moments and their evidence, runs.

QUIET = timedelta(days=1)  # a nudge without exposures for a day isn't being shown


class Light(StrEnum):
    """Health of an experiment."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    NONE = "none"


STATE_LIGHTS = {Status.RUNNING.value: "good", Status.PAUSED.value: "warn"}  # other states are inactive: no colour
LIGHT_OF = {Severity.ERROR: Light.BAD, Severity.WARNING: Light.WATCH}


@dataclass(frozen=True)
class Concern:
    """A problem to look at: a code with a sentence on the page, and its figures."""

    code: str
    light: Light
    details: dict[str, Any]


@dataclass(frozen=True)
class ArmCount:
    """Units of one arm, or of one nudge of a lab: assigned and exposed.

    Attributes:
        key: of the arm or nudge.
        name: likewise.
        weight: planned share of all units.
        assigned: units with a stored assignment.
        exposed: those exposed.
        without: exposed units without the nudge among those that could have had it; None for an arm.
    """

    key: str
    name: str
    weight: float
    assigned: int
    exposed: int
    without: int | None = None

    @property
    def weight_text(self) -> str:
        """Its planned share, formatted."""
        return percent(self.weight, 0)


@dataclass(frozen=True)
class Progress:
    """Progress and health of an experiment.

    Attributes:
        experiment: the row.
        assigned: units with a stored assignment.
        exposed: units exposed to their variant: by stored exposure times, or by exposure events in the last analysis
            (local SDKs send these), whichever are more.
        planned: planned units; None where not planned.
        share: exposed units over planned ones, at most 1; None without a planned size.
        days: whole days since the start; None for a draft.
        until: when enrolment ends and the result is available.
        concerns: problems, the worst first.
        verdict: code of the last analysis, "" before there is one and while the outcome is locked.
        final: True when that analysis is the final one.
        peeked: True when it was read before the plan allowed it.
        figures: the numbers of the last analysis (`headline`); None while the outcome is locked.
        arms: units by arm, control first; of a lab by nudge, so that a unit with several counts for each.
    """

    experiment: Experiment
    assigned: int
    exposed: int
    planned: int | None
    share: float | None
    days: int | None
    until: Ending
    concerns: tuple[Concern, ...]
    verdict: str = ""
    final: bool = False
    peeked: bool = False
    figures: dict[str, Any] | None = None
    arms: tuple[ArmCount, ...] = ()

    @property
    def light(self) -> Light:
        """Light of its worst concern; `none` while too few units are exposed for any test."""
        if self.concerns:
            return self.concerns[0].light
        return Light.NONE if self.too_early else Light.GOOD

    @property
    def too_early(self) -> bool:
        """True while fewer units are exposed than the check of the split needs."""
        return self.exposed < SAMPLE_RATIO_UNITS

    @property
    def percent(self) -> int:
        """Share of the planned size in whole percent, for a bar."""
        return 0 if self.share is None else int(100 * self.share)

    @property
    def state_light(self) -> str:
        """Colour of its state's tag: one palette for every page."""
        return STATE_LIGHTS.get(self.experiment.status, "")

    @property
    def said(self) -> str:
        """Planned and exposed users, as a sentence; "" without a planned size."""
        if not self.planned:
            return ""
        text = _("{exposed} of {planned} planned users exposed ({percent}%)")
        return text.format(exposed=f"{self.exposed:,}", planned=f"{self.planned:,}", percent=self.percent)

    @property
    def headline(self) -> Headline | None:
        """The numbers of the last analysis in words."""
        return headline_document(self.figures, self.verdict)


def standing(experiment: Experiment) -> Progress:
    """Progress of one experiment, from its assignments and its last finished analysis.

    Services that log exposures themselves set no exposure time on the assignment; the analysis counts these exposures
    from the events. The verdict is that of the analysis, and "" while its outcome is locked.
    """
    return standings([experiment])[0]


def standings(rows: Iterable[Experiment]) -> list[Progress]:
    """`standing` of several experiments, with as many database queries as for one."""
    experiments = list(rows)
    lasts, counts = _lasts(experiments), _counts(experiments)
    return [_standing(row, counts.get(row.pk, {}), lasts.get(row.pk)) for row in experiments]


def _standing(experiment: Experiment, counts: dict[int, Any], last: dict[str, Any] | None) -> Progress:
    _add_met(counts, experiment, {} if last is None else last["exposed"] or {})
    assigned = sum(row["assigned"] for row in counts.values())
    exposed = sum(row["exposed"] for row in counts.values())
    planned, now = experiment.planned_units, timezone.now()
    started = experiment.started_at
    ended = experiment.stopped_at or now
    unsorted = [*_found([] if last is None else last["checks"] or []), *_concerns(experiment, counts, exposed, last)]
    concerns = sorted(unsorted, key=lambda concern: concern.light is not Light.BAD)
    arms = tuple(
        ArmCount(
            arm.key,
            arm.name or arm.key,
            arm.weight / WHOLE,
            counts.get(arm.position, {}).get("assigned", 0),
            counts.get(arm.position, {}).get("exposed", 0),
        )
        for arm in experiment.variants.all()
    )
    return Progress(
        experiment=experiment,
        assigned=assigned,
        exposed=exposed,
        planned=planned,
        share=None if not planned else min(exposed / planned, 1.0),
        days=None if started is None else (ended - started).days,
        until=until(experiment),
        concerns=tuple(concerns),
        verdict="" if last is None else last["verdict"],
        final=last is not None and last["final"],
        peeked=last is not None and last["peek"],
        figures=None if last is None else last["figures"],
        arms=_by_nudge(experiment, arms) if experiment.is_lab else arms,
    )


def _by_nudge(lab: Experiment, sets: Sequence[ArmCount]) -> tuple[ArmCount, ...]:
    """Units by nudge, from those by set of nudges."""
    keys = [one.key for one in sets]
    assigned, exposed = ({one.key: getattr(one, name) for one in sets} for name in ("assigned", "exposed"))

    def row(key: str, name: str) -> ArmCount:
        share = sum(one.weight for one in sets if key in nudges_in(one.key))
        with_it, without = with_and_without(exposed, keys, key)
        return ArmCount(key, name, share, with_and_without(assigned, keys, key)[0], with_it, without)

    return tuple(row(nudge["key"], nudge["name"] or nudge["key"]) for nudge in lab.nudges)


def until(experiment: Experiment) -> Ending:
    """When its enrolment ends and its result is available."""
    ended = experiment.enrolment_closed_at or experiment.stopped_at
    return ending(
        planned=experiment.planned_end,
        ended=None if ended is None else site_date(ended, experiment.zone),
        outcomes=experiment.primary_metrics,
        today=site_date(zone=experiment.zone),
    )


def end_to_check(experiment: Experiment) -> str:
    """A reminder to check a planned end set before 0.5; "" where not needed."""
    ended = experiment.enrolment_closed_at or experiment.stopped_at
    return end_note(
        before_05=experiment.end_before_05,
        planned=experiment.planned_end,
        ended=None if ended is None else site_date(ended, experiment.zone),
    )


def live() -> list[Progress]:
    """Running and paused experiments, those that end first on top."""
    rows = Experiment.objects.filter(status__in=[status.value for status in LIVE]).select_related("moment")
    under_way = standings(rows.defer("moment__evidence").prefetch_related("variants", "audience"))
    return sorted(under_way, key=lambda progress: progress.experiment.planned_end or date.max)


def moments(limit: int = 8) -> list[AhaMoment]:
    """Current AHA moments: those under test or open first, then decided ones."""
    order: list[str] = [AhaMoment.Status.TESTING, AhaMoment.Status.CANDIDATE]
    rows = list(AhaMoment.objects.light("study", "kept_reach").filter(archived_at=None).order_by("-created_at")[:50])
    rows.sort(key=lambda row: order.index(row.status) if row.status in order else len(order))
    return rows[:limit]


def _lasts(experiments: Sequence[Experiment]) -> dict[int, dict[str, Any]]:
    """Last successful analysis of each: verdict, finality, exposed units by arm, checks; its payload isn't read."""
    done = Analysis.objects.filter(status=Analysis.Status.DONE)
    last = done.filter(experiment=OuterRef("experiment")).order_by("-pk").values("pk")[:1]
    rows: Iterable[Any] = done.filter(experiment__in=experiments, pk=Subquery(last)).values(
        "experiment_id", "verdict", "final", "peek", "exposed", "checks", "figures"
    )
    return {row["experiment_id"]: row for row in rows}


def _counts(experiments: Sequence[Experiment]) -> dict[int, dict[int, Any]]:
    """By experiment and the arm's position: assigned units, and those with an exposure time on their assignment."""
    rows: Iterable[Any] = (
        Assignment.objects.filter(experiment__in=experiments)
        .values("experiment_id", "variant__position")
        .annotate(
            assigned=Count("id"),
            exposed=Count("id", filter=Q(exposed_at__isnull=False)),
            named=Count("id", filter=Q(exposed_at__isnull=False) & (Q(visit="") | Q(named_at__isnull=False))),
        )
    )
    counts: dict[int, dict[int, Any]] = {}
    for row in rows:
        counts.setdefault(row["experiment_id"], {})[row["variant__position"]] = row
    return counts


def _add_met(counts: dict[int, Any], experiment: Experiment, met: Mapping[str, int]) -> None:
    """Replace exposed units with those of the last analysis, by the arm's key, where these are more.

    Since 0.5 they are compared with units that server keys requested, since anybody can request made-up ids.
    """
    if met and experiment.client_new_ids is not None:
        for row in counts.values():
            row["exposed"] = row["named"]
    if sum(met.values()) > sum(row["exposed"] for row in counts.values()):
        for arm in experiment.variants.all():
            row = counts.setdefault(arm.position, {"assigned": 0})
            row["exposed"] = row["named"] = met.get(arm.key, 0)


def _found(checks: list[dict[str, Any]]) -> Iterable[Concern]:
    """Findings of the last analysis's checks, without notes; the page puts them in the reader's language."""
    for row in checks:
        if row["severity"] in LIGHT_OF:
            yield Concern("finding", LIGHT_OF[row["severity"]], {"check": row["check"], "figures": row["details"]})


def _concerns(
    experiment: Experiment, counts: dict[int, Any], exposed: int, last: dict[str, Any] | None
) -> Iterable[Concern]:
    running = experiment.status == Status.RUNNING
    if running and experiment.started_at is not None and not exposed and timezone.now() - experiment.started_at > QUIET:
        yield Concern("nobody_exposed", Light.BAD, {})
    if last is None or last["checks"] is None:  # otherwise the analysis's checks test it, also by segment
        yield from _ratio(experiment, counts)
    if (
        experiment.status in LIVE
        and experiment.planned_end
        and experiment.planned_end < site_date(zone=experiment.zone)
    ):
        yield Concern("past_end", Light.WATCH, {"end": experiment.planned_end})
    if experiment.status == Status.PAUSED:
        yield Concern("paused", Light.WATCH, {})


def _ratio(experiment: Experiment, counts: dict[int, Any]) -> Iterable[Concern]:
    """The sample ratio of exposed units; skipped where audience rows have their own weights."""
    of = "exposed" if experiment.client_new_ids is None else "named"
    observed = {str(position): row.get(of, 0) for position, row in counts.items()}
    if not any(observed.values()) or any(row.weights for row in experiment.audience.all()):
        return

    split = split_of(observed, {str(row.position): float(row.weight) for row in experiment.variants.all()})
    for finding in check_sample_ratio(Context(counts=observed, split=split)):
        if finding.severity in LIGHT_OF:
            yield Concern("sample_ratio", LIGHT_OF[finding.severity], {"p": finding.details["p_value"]})


# Health of an experiment: a light and a sentence.


def health(standing: Progress) -> dict[str, str]:
    """The light with its word and its sentence."""
    return {**_light(standing), "word": light_word(standing)}


def light_word(standing: Progress) -> str:
    """The light in a word, so that colour is never the only signal."""
    too_early = _("Too early: tested from {n} users on").format(n=SAMPLE_RATIO_UNITS)
    none = too_early if standing.assigned or standing.exposed else _("No data yet")
    words = {Light.GOOD: _("Healthy"), Light.WATCH: _("Watch"), Light.BAD: _("Problem"), Light.NONE: none}
    return words[standing.light]


def _light(standing: Progress) -> dict[str, str]:
    if standing.concerns:
        return {
            "light": standing.light.value,
            "sentence": " ".join(concern_words(concern) for concern in standing.concerns),
        }
    if standing.light is Light.GOOD:
        return {"light": "good", "sentence": _("Nothing speaks against it so far.")}
    if standing.assigned or standing.exposed:
        sentence = _("{exposed} of {n} users exposed so far.").format(exposed=standing.exposed, n=SAMPLE_RATIO_UNITS)
        return {"light": "none", "sentence": sentence}
    return {"light": "none", "sentence": _("Nobody was assigned yet.")}


def concern_words(concern: Concern) -> str:
    """A sentence for each concern code of `overview`."""
    match concern.code:
        case "nobody_exposed":
            return _("It has run for more than a day, and nobody was shown a group. Does the service ask for the flag?")
        case "sample_ratio":
            text = _(
                "The split of the exposed users is not the planned one (p {p}): find out why before you read an effect."
            )
            return text.format(p=p_relation(concern.details["p"]))
        case "finding":
            return finding_sentence(Finding(concern.details["check"], Severity.WARNING, concern.details["figures"]))
        case "past_end":
            return _("The planned end has gone by: stop it and read the verdict.")
        case "paused":
            return _("It is paused: everybody gets the value outside the experiment.")
    raise ValueError(concern.code)
