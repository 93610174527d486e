"""Services of self-tests: validate the inputs, store the run, compute it. The event store is only read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from django.contrib.auth.models import User

from aha.questions.defaults import usual_days, usual_retention, usual_start
from aha.study.discover import Answers
from aha.study.gather import gather
from aha.study.null import enough
from aha.study.population import Restriction
from aha.study.question import Inputs, check_inputs
from events.asking import Questions, questions
from events.metric_catalogue.check import SPLITS, WEEKS, check_metric
from events.metrics import parse_behaviour, parse_retention
from events.models import Metric
from insight_site.models.self_tests import SelfTest
from insight_site.selftest.copied_log import Copied, Planted, copy_units, place_for_plants
from insight_site.selftest.plant_rounds import Rounds, plant_and_ask, search_for_styles
from insight_site.selftest.planted_analysis import foretell
from insight_site.selftest.planted_study import StudySays
from insight_site.selftest.planted_styles import BEHAVIOURS
from insight_site.selftest.planting.moment_choice import PlantedMoment
from insight_site.selftest.selftest_payloads import SELF_TEST
from insight_site.selftest.selftest_result import (
    Asked,
    CopyCheck,
    DividingTrait,
    MetricOnItsPast,
    PlantedEffect,
    SelfTestReport,
    Shortfall,
    Tally,
    Why,
)
from insight_site.selftest.whole_study import study_a_log
from reporting.document import dump, load
from runs.perform import enqueue, perform
from runs.progress import Progress, part, silent
from runs.refusals import Refused
from runs.spent import measured
from segments.search.gather import choose_behaviours, read_play
from segments.search.question import Inputs as Window
from stats.compare import wilson
from stats.false_alarms import FalseAlarms
from stats.results import NotComputable, Reason, computable

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
    run = create_self_test(asked=asked, seed=seed, by=by)
    enqueue(run)
    return run


def run_self_test(pk: int, *, listen: Progress = silent) -> bool:
    """Compute a waiting self-test; True when it is done. A deleted one, or one already running, is left alone."""
    run = SelfTest.objects.filter(pk=pk).first()
    return run is not None and perform(run, lambda progress: _compute(run, progress), listen=listen)


def _study_inputs(asked: "Asked") -> "Inputs":
    return Inputs(
        signup_event=asked.signup_event, days=asked.days, retention=asked.retention, behaviours=asked.behaviours
    )


def _compute(run: SelfTest, progress: Progress) -> dict[str, Any]:
    asked = load(Asked, run.inputs)
    with measured() as spent:
        with questions() as open_log:
            SelfTest.objects.filter(pk=run.pk).update(as_of=open_log.basis.data_end)
            report = self_test(open_log, asked, seed=run.seed, progress=progress)
        report = replace(report, spent=spent())
    return SELF_TEST.store(report)


def self_test(open_log: "Questions", asked: "Asked", *, seed: int, progress: Progress = silent) -> "SelfTestReport":
    """Run the whole self-test on an open log.

    Raises:
        Refused: no user's retention is known yet, or the log lacks the event.
    """
    inputs = _study_inputs(asked)
    open_log.need_event(asked.signup_event, "--signup-event")
    answers = gather(
        open_log,
        inputs,
        Restriction(),
        seed=seed,
        most_units=asked.most_users,
        progress=part(progress, 0, AGES["gathered"]),
    )
    copied = copy_units(answers, inputs)
    place = _too_small(copied) or place_for_plants(copied, asked)
    planted = place if isinstance(place, Planted) else None
    foretold = rounds = check = None
    if planted is not None:
        foretold = foretell(planted.ground, take_up=asked.take_up)
        inner = part(progress, AGES["gathered"], AGES["rounds"])
        rounds = plant_and_ask(planted.ground, planted.small, asked, seed=seed, progress=inner)
        check = _as_a_log(open_log, answers, inputs, planted, seed, part(progress, AGES["rounds"], AGES["checked"]))
    styles, no_styles = _styles(open_log, asked, seed, part(progress, AGES["checked"], AGES["styles"]))
    why_not = [] if isinstance(place, Planted) else [place]
    shortfalls = [*why_not, *_shortfalls(planted, rounds, copied, foretold, asked), *no_styles]
    metrics = _metrics(open_log, asked, seed, part(progress, AGES["styles"], 1))
    progress("report", 1.0)
    return SelfTestReport(
        asked=asked,
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
        seed=seed,
        versions={name: version(name) for name in LIBRARIES},
    )


def _too_small(copied: "Copied") -> "Shortfall | None":
    missing = enough(copied.table.retained)
    return None if missing is None else Shortfall(Why.TOO_SMALL, dict(missing.details))


def _shortfalls(
    planted: "Planted | None", rounds: "Rounds | None", copied: "Copied", foretold: Any, asked: "Asked"
) -> "list[Shortfall]":
    """Reasons why these data miss planted effects."""
    if planted is None or rounds is None:
        return []
    found = list(_of_steps(planted.ground.moment, rounds.studies))
    if planted.true_effect < ROOM * asked.effect:
        room = {"fits": planted.true_effect, "effect": asked.effect}
        found.append(Shortfall(Why.NO_ROOM, room))
    if foretold is not None and foretold.power < LIKELY:
        enough_users = {"needed": foretold.needed} if computable(foretold.needed) else {}
        found.append(Shortfall(Why.LOW_POWER, {"n": copied.table.n, "power": foretold.power, **enough_users}))
    if copied.trait is None:
        found.append(Shortfall(Why.NO_TRAIT, {}))
    return found


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
    open_log: "Questions", answers: "Answers", inputs: "Inputs", planted: "Planted", seed: int, progress: Progress
) -> "CopyCheck":
    """Check the first planted threshold as an event log: query the warehouse, and run a whole study on it."""
    return study_a_log(open_log, answers, inputs, planted.ground, seed=seed, progress=progress)


def _styles(
    open_log: "Questions", asked: "Asked", seed: int, progress: Progress
) -> "tuple[tuple[Tally, ...], list[Shortfall]]":
    progress("styles", 0.0)
    window = Window(
        signup_event=asked.signup_event, first_day=0, last_day=max(asked.days) - 1, behaviours=asked.behaviours
    )
    if (number := _number_of_behaviours(open_log, window)) < BEHAVIOURS:
        return (), [Shortfall(Why.FEW_BEHAVIOURS, {"n": number, "needed": BEHAVIOURS})]
    try:
        table = read_play(open_log, window, seed=seed).whole
    except Refused:  # no user has completed the window
        return (), [Shortfall(Why.NO_ACTIVE_USERS, {"days": max(asked.days)})]
    tallies, missing = search_for_styles(table, asked, seed=seed, progress=progress)
    return tallies, [] if missing is None else [Shortfall(Why.NO_ACTIVE_USERS, {"days": max(asked.days)})]


def _number_of_behaviours(open_log: "Questions", window: Window) -> int:
    try:
        return len(choose_behaviours(open_log, window))
    except Refused:  # the log has only the start event
        return 0


def _metrics(open_log: "Questions", asked: "Asked", seed: int, progress: Progress) -> "tuple[MetricOnItsPast, ...]":
    """A/A tests of every certified metric on past weeks, by the catalogue's check."""
    rows = list(Metric.objects.filter(status=Metric.Status.CERTIFIED).order_by("key"))
    found = []
    for place, row in enumerate(rows):
        inner = part(progress, place / len(rows), (place + 1) / len(rows))
        badge: FalseAlarms | NotComputable
        try:
            badge = check_metric(
                open_log,
                row.current.facts,
                weeks=WEEKS,
                splits=SPLITS,
                signup_event=asked.signup_event,
                seed=seed,
                progress=inner,
            ).badge
        except Refused:  # the metric is time to churn
            badge = NotComputable(Reason.NO_NUMBER_PER_UNIT)
        found.append(MetricOnItsPast(row.key, row.current.number, badge))
    return tuple(found)
