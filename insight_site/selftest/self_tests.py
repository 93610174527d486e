"""Services of self-tests: validate the inputs, store the run, compute it. The event store is only read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from django.contrib.auth.models import User

from aha.questions.objections import usual_days, usual_retention, usual_start
from aha.study.discover import Answers
from aha.study.gather import gather
from aha.study.grid import CountTable
from aha.study.null import enough
from aha.study.population import Restriction
from aha.study.question import Inputs, check_inputs
from events.catalogue.check_metric import SPLITS, WEEKS, check_metric
from events.metrics import parse_behaviour, parse_retention
from events.models import Metric
from events.warehouse.session import WarehouseSession, questions
from experiments.analyse.codes import Code
from experiments.draw.many_units import UnitIds, read_units
from insight_site.models import SelfTest
from insight_site.selftest.planted_answers import (
    BEHAVIOURS,
    LIKE_THE_TRUTH,
    AnalysisSays,
    StudySays,
    StylesSay,
    analyse_planted,
    foretell,
    search_planted,
    study_planted,
)
from insight_site.selftest.planted_effects import Ground, Plant, PlantedMoment, counts_of, plant, run_experiment
from insight_site.selftest.planted_log import Copied, Planted, copy_units, place_for_plants, study_a_log
from insight_site.selftest.selftest_result import (
    SELF_TEST,
    Asked,
    Asks,
    CopyCheck,
    DividingTrait,
    MetricOnItsPast,
    PlantedEffect,
    SelfTestReport,
    Shortfall,
    Tally,
    Why,
)
from launches.judge import TriedLaunches
from launches.readings import try_on_own_past
from reporting.document import dump, load
from runs.parallel import each
from runs.perform import Computation, enqueue
from runs.progress import Early, Progress, part, silent
from runs.refusals import Refused
from runs.run_times import measured
from segments.search.features import UnitTable
from segments.search.gather import choose_behaviours, read_play
from segments.search.question import Inputs as Window
from stats.compare import wilson
from stats.false_alarms import FalseAlarms
from stats.results import NotComputable, Reason, computable

# Plant repeatedly, run the same analyses on each copy, and count the results. Pure.

STUDIED = (Plant.NOTHING, Plant.CORRELATION, Plant.THRESHOLD, Plant.SMOOTH)
PLANTS_OF_STYLES = 20  # a segment search takes as long as many studies: one per so many plants
NUMBERS = {plant: number for number, plant in enumerate(Plant)}
type Said = dict[tuple[Plant | None, Asks], bool]


@dataclass(frozen=True)
class Rounds:
    """Results of all rounds of one self-test.

    Attributes:
        tallies: counts of findings.
        studies: results on planted thresholds, to explain why one was missed.
    """

    tallies: tuple[Tally, ...]
    studies: tuple[StudySays, ...]


def plant_and_ask(ground: Ground, small: CountTable, question: Asked, *, seed: int, progress: Progress) -> Rounds:
    """All plants of outcomes: studies and experiments.

    Args:
        ground: the data that effects are planted into.
        small: the table that studies use (`planted_study.looked_at`).
        question: number of plants, and their effect.
        seed: of every draw.
        progress: progress callback.
    """
    units = read_units([str(unit) for unit in ground.table.unit_ids])
    kinds = [kind for kind in Plant if kind is not Plant.SEGMENT or ground.trait is not None]
    jobs = [(kind, number) for number in range(question.plants) for kind in kinds]
    done = each(
        jobs, lambda job, inner: _ask(ground, small, question, units, job, seed, inner), of=len(jobs), progress=progress
    )
    thresholds = [study for (kind, _), (_, study) in zip(jobs, done, strict=True) if kind is Plant.THRESHOLD and study]
    return Rounds(count(answers for answers, _ in done), tuple(thresholds))


def _ask(
    ground: Ground,
    small: CountTable,
    question: Asked,
    units: UnitIds,
    job: tuple[Plant, int],
    seed: int,
    progress: Progress,
) -> tuple[Said, StudySays | None]:
    """One copy: a study of unprompted behaviour, and an experiment with a nudge."""
    kind, number = job
    progress("plants", 0.0)
    keys = (seed, NUMBERS[kind], number)
    answers: Said = {}
    study = None
    if kind in STUDIED:
        rng = np.random.default_rng((*keys, 0))
        retained = plant(ground, kind, counts_of(ground.table, ground.moment), rng)
        study = study_planted(small, ground.moment, retained, rng=rng)
        answers |= dict(_of_study(kind, study))
    progress("plants", 0.7)
    name = f"selftest-{seed}-{kind}-{number}"
    rng = np.random.default_rng((*keys, 1))
    planted = run_experiment(ground, kind, units, name=name, take_up=question.take_up, rng=rng)
    answers |= dict(_of_analysis(kind, analyse_planted(planted, ground.table.unit_ids, ground.trait)))
    return answers, study


def _of_study(kind: Plant, study: StudySays) -> Iterator[tuple[tuple[Plant, Asks], bool]]:
    if kind is Plant.NOTHING:
        yield (kind, Asks.LUCK), study.beats_luck
        yield (kind, Asks.ACTIVE), study.beats_active
    else:
        yield (kind, Asks.CANDIDATE), study.candidate
    if kind is Plant.THRESHOLD:
        yield (kind, Asks.JUMP), study.at_moment
    else:
        yield (kind, Asks.WRONG_JUMP), study.any_jump


def _of_analysis(kind: Plant, analysis: AnalysisSays) -> Iterator[tuple[tuple[Plant, Asks], bool]]:
    if kind in (Plant.NOTHING, Plant.CORRELATION):
        yield (kind, Asks.WRONG_VERDICT), analysis.verdict in (Code.CAUSES, Code.HARMS)
        if analysis.segments_differ is not None:
            yield (kind, Asks.WRONG_SEGMENTS), analysis.segments_differ
    elif kind is Plant.SEGMENT:
        if analysis.segments_differ is not None:
            yield (kind, Asks.SEGMENTS), analysis.segments_differ
    else:
        yield (kind, Asks.CAUSES), analysis.verdict is Code.CAUSES
    if analysis.covers is not None and kind is not Plant.NOTHING:
        yield (kind, Asks.TRUTH_OUTSIDE), not analysis.covers


def search_for_styles(
    table: UnitTable, question: Asked, *, seed: int, progress: Progress
) -> tuple[tuple[Tally, ...], NotComputable | None]:
    """All plants of play styles; or why there are none."""
    rounds = max(1, question.plants // PLANTS_OF_STYLES)
    answers: list[Said] = []
    for number in range(rounds):
        for place, (planted, asks) in enumerate(((True, Asks.STYLES), (False, Asks.WRONG_STYLES))):
            progress("styles", (number + place / 2) / rounds)
            rng = np.random.default_rng((seed, len(NUMBERS), number, int(planted)))
            says = search_planted(table, planted=planted, rng=rng, seed=seed + number)
            if not isinstance(says, StylesSay):
                return (), says
            right = says.agreement >= LIKE_THE_TRUTH or not planted
            answers.append({(None, asks): says.found and right})
    return count(answers), None


def count(answers: "Iterator[Said] | list[Said]") -> tuple[Tally, ...]:
    """Tallies of findings, in the order of the plants and questions."""
    n: Counter[tuple[Plant | None, Asks]] = Counter()
    yes: Counter[tuple[Plant | None, Asks]] = Counter()
    for findings in answers:
        n.update(findings.keys())
        yes.update(key for key, answer in findings.items() if answer)
    order = {kind: number for number, kind in enumerate((*Plant, None))}
    asks = {question: number for number, question in enumerate(Asks)}
    keys = sorted(n, key=lambda key: (order[key[0]], asks[key[1]]))
    return tuple(Tally(*key, yes[key], n[key]) for key in keys)


MOST_PLANTS = 1_000
LEAST_USERS, MOST_USERS = 500, 200_000
LIKELY = 0.8  # below such power, or such a share of jumps found, a miss is expected
ROOM = 0.8  # the data have no room for the effect if less than this share of it fits
AGES = {"gathered": 0.08, "rounds": 0.8, "checked": 0.88, "styles": 0.96}
LIBRARIES = ("numpy", "scipy", "scikit-learn", "duckdb", "ibis-framework")


def usual_question(**given: Any) -> "Asked":
    """Default inputs of a self-test: those that a new study begins with.

    Args:
        given: fields of `Asked`; None takes the default.
    """
    known = {name: value for name, value in given.items() if value is not None}
    retention = known.pop("retention", None) or usual_retention()
    days = known.pop("days", None) or usual_days(parse_retention(retention))
    start = known.pop("signup_event", None) or usual_start() or "*"
    behaviours = tuple(known.pop("behaviours", ()))
    return Asked(signup_event=start, retention=retention, days=tuple(sorted(set(days))), behaviours=behaviours, **known)


def create_self_test(*, asked: "Asked", seed: int = 1, by: User | None = None) -> SelfTest:
    """Validate the inputs and store a waiting self-test.

    Raises:
        Refused: with one sentence that names the option; nothing is stored then.
    """
    if not 1 <= asked.plants <= MOST_PLANTS:
        raise Refused("from 1 to {most}, not {given}.", most=MOST_PLANTS, given=asked.plants, at="plants")
    if not 0 < asked.effect < 1:
        raise Refused("above 0 and below 1, not {given:g}.", given=asked.effect, at="effect")
    if not 0 < asked.take_up <= 1:
        raise Refused("above 0 and at most 1, not {given:g}.", given=asked.take_up, at="take-up")
    if not LEAST_USERS <= asked.most_users <= MOST_USERS:
        raise Refused(
            "from {least:,} to {most:,}, not {given:,}.",
            least=LEAST_USERS,
            most=MOST_USERS,
            given=asked.most_users,
            at="users",
        )
    if not 0 <= seed < 2**63:
        raise Refused("0 or more and below 2^63, not {given}.", given=seed, at="seed")
    if asked.behaviour:
        parse_behaviour(asked.behaviour)
    check_inputs(_study_inputs(asked))
    run = SelfTest(inputs=dump(asked), seed=seed, created_by=by)
    run.full_clean()
    run.save()
    return run


def start_self_test(*, asked: "Asked", seed: int = 1, by: User | None = None) -> SelfTest:
    """Store a self-test and enqueue it; arguments and refusals as in `create_self_test`."""
    return enqueue(create_self_test(asked=asked, seed=seed, by=by))


def _study_inputs(question: "Asked") -> "Inputs":
    return Inputs(
        signup_event=question.signup_event,
        days=question.days,
        retention=question.retention,
        behaviours=question.behaviours,
    )


def _compute(run: SelfTest, progress: Progress, _early: Early) -> SelfTestReport:
    question = load(Asked, run.inputs)
    with measured() as spent:
        with questions() as open_log:
            SelfTest.objects.filter(pk=run.pk).update(as_of=open_log.basis.data_end)
            report = self_test(open_log, question, seed=run.seed, progress=progress)
        return replace(report, spent=spent())


run_self_test = Computation(SelfTest, _compute, SELF_TEST.store)


def self_test(
    open_log: "WarehouseSession", question: "Asked", *, seed: int, progress: Progress = silent
) -> "SelfTestReport":
    """Run the whole self-test on an open log.

    Raises:
        Refused: no user's retention is known yet, or the log lacks the event.
    """
    inputs = _study_inputs(question)
    open_log.need_event(question.signup_event, "--signup-event")
    answers = gather(
        open_log,
        inputs,
        Restriction(),
        seed=seed,
        most_units=question.most_users,
        progress=part(progress, 0, AGES["gathered"]),
    )
    copied = copy_units(answers, inputs)
    place = _too_small(copied) or place_for_plants(copied, question)
    planted = place if isinstance(place, Planted) else None
    foretold = rounds = check = None
    if planted is not None:
        foretold = foretell(planted.ground, take_up=question.take_up)
        inner = part(progress, AGES["gathered"], AGES["rounds"])
        rounds = plant_and_ask(planted.ground, planted.small, question, seed=seed, progress=inner)
        check = _as_a_log(open_log, answers, inputs, planted, seed, part(progress, AGES["rounds"], AGES["checked"]))
    styles, no_styles = _styles(open_log, question, seed, part(progress, AGES["checked"], AGES["styles"]))
    why_not = [] if isinstance(place, Planted) else [place]
    shortfalls = [*why_not, *_shortfalls(planted, rounds, copied, foretold, question), *no_styles]
    metrics = _metrics(open_log, question, seed, part(progress, AGES["styles"], 1))
    progress("report", 1.0)
    return SelfTestReport(
        asked=question,
        data_end=answers.data_end.isoformat(),
        users=len(answers.retained),
        sampled=copied.table.n,
        retained=wilson(int(copied.table.retained.sum()), copied.table.n),
        planted=PlantedEffect(planted.ground.moment, planted.true_effect) if planted else None,
        trait=None if copied.trait is None else DividingTrait(copied.trait_name, float(copied.trait.mean())),
        foretold=foretold,
        tallies=(*(rounds.tallies if rounds else ()), *styles),
        shortfalls=tuple(shortfalls),
        check=check,
        metrics=metrics,
        launches=_launches(open_log, question),
        seed=seed,
        versions={name: version(name) for name in LIBRARIES},
    )


def _too_small(copied: "Copied") -> "Shortfall | None":
    missing = enough(copied.table.retained)
    return None if missing is None else Shortfall(Why.TOO_SMALL, dict(missing.details))


def _shortfalls(
    planted: "Planted | None", rounds: "Rounds | None", copied: "Copied", foretold: Any, question: "Asked"
) -> "list[Shortfall]":
    """Reasons why these data miss planted effects."""
    if planted is None or rounds is None:
        return []
    shortfalls = list(_of_steps(planted.ground.moment, rounds.studies))
    if planted.true_effect < ROOM * question.effect:
        room = {"fits": planted.true_effect, "effect": question.effect}
        shortfalls.append(Shortfall(Why.NO_ROOM, room))
    if foretold is not None and foretold.power < LIKELY:
        enough_users = {"needed": foretold.needed} if computable(foretold.needed) else {}
        shortfalls.append(Shortfall(Why.LOW_POWER, {"n": copied.table.n, "power": foretold.power, **enough_users}))
    if copied.trait is None:
        shortfalls.append(Shortfall(Why.NO_TRAIT, {}))
    return shortfalls


def _of_steps(moment: "PlantedMoment", studies: "Sequence[StudySays]") -> "Iterator[Shortfall]":
    """Reasons why studies don't report the planted threshold as a jump."""
    if any(study.step_missing is not None for study in studies):
        yield Shortfall(Why.FEW_COUNTS, {"behaviour": moment.behaviour})
        return
    shares = [study.detection for study in studies if study.detection is not None]
    if shares and (mean := sum(shares) / len(shares)) < LIKELY:
        yield Shortfall(
            Why.LOW_DETECTION, {"behaviour": moment.behaviour, "times": moment.times, "share": mean, "n": len(shares)}
        )
    not_apart = sum(study.not_apart for study in studies)
    if len(studies) - not_apart < LIKELY * len(studies):
        yield Shortfall(Why.NOT_APART, {"behaviour": moment.behaviour, "k": not_apart, "n": len(studies)})


def _as_a_log(
    open_log: "WarehouseSession",
    answers: "Answers",
    inputs: "Inputs",
    planted: "Planted",
    seed: int,
    progress: Progress,
) -> "CopyCheck":
    """Check the first planted threshold as an event log: query the warehouse, and run a whole study on it."""
    return study_a_log(open_log, answers, inputs, planted.ground, seed=seed, progress=progress)


def _styles(
    open_log: "WarehouseSession", question: "Asked", seed: int, progress: Progress
) -> "tuple[tuple[Tally, ...], list[Shortfall]]":
    progress("styles", 0.0)
    window = Window(
        signup_event=question.signup_event, first_day=0, last_day=max(question.days) - 1, behaviours=question.behaviours
    )
    if (number := _number_of_behaviours(open_log, window)) < BEHAVIOURS:
        return (), [Shortfall(Why.FEW_BEHAVIOURS, {"n": number, "needed": BEHAVIOURS})]
    try:
        table = read_play(open_log, window, seed=seed).whole
    except Refused:  # no user has completed the window
        return (), [Shortfall(Why.NO_ACTIVE_USERS, {"days": max(question.days)})]
    tallies, missing = search_for_styles(table, question, seed=seed, progress=progress)
    return tallies, [] if missing is None else [Shortfall(Why.NO_ACTIVE_USERS, {"days": max(question.days)})]


def _number_of_behaviours(open_log: "WarehouseSession", window: Window) -> int:
    try:
        return len(choose_behaviours(open_log, window))
    except Refused:  # the log has only the start event
        return 0


def _launches(open_log: "WarehouseSession", question: "Asked") -> "TriedLaunches | None":
    """Launches at dates of the past, with the half of the planted effect: what everybody gets is spread thinner."""
    try:
        tried = try_on_own_past(
            open_log,
            outcome=question.retention,
            signup_event=question.signup_event,
            effect=question.effect / 2,
            progress=silent,
        )
    except Refused:  # no mean of a day
        return None
    return tried if tried.dates else None


def _metrics(
    open_log: "WarehouseSession", question: "Asked", seed: int, progress: Progress
) -> "tuple[MetricOnItsPast, ...]":
    """A/A tests of every certified metric on past weeks, by the catalogue's check."""
    rows = list(Metric.objects.filter(status=Metric.Status.CERTIFIED).order_by("key"))
    metrics = []
    for place, row in enumerate(rows):
        inner = part(progress, place / len(rows), (place + 1) / len(rows))
        badge: FalseAlarms | NotComputable
        try:
            badge = check_metric(
                open_log,
                row.current.facts,
                weeks=WEEKS,
                splits=SPLITS,
                signup_event=question.signup_event,
                seed=seed,
                progress=inner,
            ).badge
        except Refused:  # the metric is time to churn
            badge = NotComputable(Reason.NO_NUMBER_PER_UNIT)
        metrics.append(MetricOnItsPast(row.key, row.current.number, badge))
    return tuple(metrics)
