"""Services of studies: validate the inputs, store the run, compute it."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User

from aha.evidence.expected_gain import knowledge
from aha.evidence.store_findings import all_findings
from aha.models import Study
from aha.study.discover import study as compute
from aha.study.gather import check_population, gather, refuse_marks
from aha.study.headline import HEADLINE, headline_of
from aha.study.hold_out import MOST_UNITS
from aha.study.payload_versions import STUDY
from aha.study.population import Restriction, restriction_of
from aha.study.question import Inputs, check_inputs, in_full
from aha.study.readings import readings
from aha.study.result import Report
from events.metrics import MinEvents, display_name, parse_behaviour
from events.models import MetricVersion
from events.pickers.known_names import never_done
from events.warehouse.price import price_of as store_price
from events.warehouse.session import WarehouseSession, questions
from reporting.document import dump, load
from runs.perform import Computation, enqueue
from runs.prices import Price
from runs.progress import Early, Progress, part
from runs.refusals import Refused
from runs.run_times import Meter, Pace, measured
from runs.spending import refuse_over_budget

# How a study's run time scales; docs/scale.md has the figures.

COUNTING, EVIDENCE = "counting", "evidence"
# By users as in its table; by the sample between 3,000 and 100,000 users, where it is all of them. By behaviours from
# two studies: 15 took 20.1 processor seconds, 4 took 9.8.
PACE = Pace(
    slopes={COUNTING: {"users": 0.64, "behaviours": 0.5}, EVIDENCE: {"sample": 0.26, "behaviours": 0.5}},
    usual={COUNTING: 5.0, EVIDENCE: 45.0},
    at={"users": 100_000, "sample": 100_000, "behaviours": 15},
)


def study_size(users: int, behaviours: int) -> dict[str, int]:
    """Sizes that the run time of a study's steps scales with; days and numbers of times hardly matter.

    Args:
        users: number of eligible users.
        behaviours: number of counted behaviours.
    """
    return {"users": users, "sample": min(users, MOST_UNITS), "behaviours": behaviours}


GATHERED = 0.15  # share of a study's time that the warehouse queries take


def create_study(
    *,
    inputs: Inputs,
    title: str = "",
    seed: int = 1,
    by: User | None = None,
    changed_from: Study | None = None,
    metric: MetricVersion | None = None,
    for_ranking: bool = False,
) -> Study:
    """Validate inputs, also against the data, and store them as a waiting study.

    Args:
        inputs: the study's inputs.
        title: display name; empty for one generated from the inputs.
        seed: of every random draw.
        by: the user who creates it.
        changed_from: the study whose inputs were changed into these.
        metric: the catalogue's metric version of its retention; None for a definition of its own.
        for_ranking: refuse inputs with too few users for a ranking, for a form that can correct them; otherwise such a
            study reports units, retention and cells.

    Raises:
        ValueError: the metric has another definition than the inputs.
        Refused: names the invalid option; nothing is stored.
    """
    if metric is not None and metric.facts.line != inputs.retention:
        raise ValueError(f"{metric} is {metric.facts.line}, not {inputs.retention}")
    inputs = in_full(check_inputs(inputs))
    if not 0 <= seed < 2**63:
        raise Refused("0 or more and below 2^63, not {given}.", given=seed, at="seed")
    refuse_over_budget(price_of(inputs))
    restriction = restriction_of(inputs)
    with questions(day_mode=inputs.day_mode) as store:
        _check_data(store, inputs, restriction, for_ranking=for_ranking)
    origins = {"changed_from": changed_from, "retention_metric": metric}
    study = Study(inputs=dump(inputs), title=title, seed=seed, created_by=by, **origins)
    study.full_clean()
    study.save()
    return study


def start_study(*, inputs: Inputs, title: str = "", seed: int = 1, by: User | None = None, **origins: Any) -> Study:
    """Store a study and queue it; arguments and refusals are those of `create_study`."""
    study = create_study(inputs=inputs, title=title, seed=seed, by=by, **origins)
    try:
        return enqueue(study)
    except Refused:  # another run took the rest of the day's budget meanwhile
        study.delete()
        raise


def price_of(inputs: Inputs) -> Price:
    """What a study of checked inputs would read."""
    return store_price(lambda store: readings(inputs, store), day_mode=inputs.day_mode, dates=inputs.dates)


def price_of_run(study: Study) -> Price:
    """What a stored study would read."""
    return price_of(load(Inputs, study.inputs))


def _compute(study: Study, progress: Progress, early: Early) -> Report:
    inputs = load(Inputs, study.inputs)
    with measured() as spent:
        report = _report(study, inputs, progress, early, spent)
        size = study_size(report.population.eligible, len(report.asked.behaviours))
        return replace(report, spent=spent(size))


def _report(study: Study, inputs: Inputs, progress: Progress, early: Early, spent: Meter) -> Report:
    restriction = restriction_of(inputs)
    with questions(day_mode=inputs.day_mode) as store:
        Study.objects.filter(pk=study.pk).update(as_of=store.basis.data_end)
        so_far = part(progress, 0, GATHERED)
        answers = gather(store, inputs, restriction, seed=study.seed, progress=so_far, early=early)
    spent.ended(COUNTING)
    known = knowledge(all_findings())
    rest = part(progress, GATHERED, 1)
    report = compute(answers, inputs, seed=study.seed, past=known, progress=rest, early=early)
    spent.ended(EVIDENCE)
    return report


def _conclude(study: Study, report: Report) -> None:
    Study.objects.filter(pk=study.pk).update(headline=HEADLINE.store(headline_of(report)))


run_study = Computation(Study, _compute, STUDY.store, _conclude)


def _check_data(store: WarehouseSession, inputs: Inputs, restriction: Restriction, *, for_ranking: bool) -> None:
    store.need_event(inputs.signup_event, "--signup-event")
    definition = inputs.definition
    if isinstance(definition, MinEvents):
        store.need_event(definition.event, "--retention")
    for option, texts in (("--behaviours", inputs.behaviours), ("--inert", inputs.inert)):
        behaviours = [parse_behaviour(text) for text in texts]
        for behaviour in behaviours:
            store.need_event(behaviour.event, option)
        narrow = [
            behaviour for behaviour in behaviours if behaviour.where is not None or behaviour.distinct is not None
        ]
        for missing in never_done(store, narrow):  # an unknown property or value would give a study of zeros
            raise Refused("nobody ever did {behaviour!r}.", behaviour=display_name(str(missing)), at=option)
    refuse_marks(store, inputs)
    check_population(store, inputs, restriction, for_ranking=for_ranking)
