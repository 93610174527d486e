"""The price of a question is what it then reads: twenty questions, told before and measured after."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pytest_django import Settings

from aha.study.gather import gather as study_gather
from aha.study.population import Restriction
from aha.study.question import Inputs as StudyInputs
from aha.study.readings import readings as study_readings
from events.catalogue import check_metric
from events.metrics.facts import Facts
from events.store import event_table
from events.warehouse import daily_tables, engine, increments
from events.warehouse.price import price_of
from events.warehouse.session import questions
from experiments.analyse.across import holdout_readings
from experiments.analyse.across.holdout_question import HoldoutQuestion, Population
from experiments.analyse.gather.gather import gather as analysis_gather
from experiments.analyse.gather.readings import readings as analysis_readings
from experiments.plan.derived import Question
from runs.prices import Price, metered
from segments.search.gather import read_play, read_units
from segments.search.question import Inputs as SearchInputs
from segments.search.readings import readings as search_readings
from segments.search.readings import units

pytestmark = pytest.mark.django_db
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, NEW = 26, 40
KINDS = ("open", "play", "buy", "add")
STUDY = StudyInputs(signup_event="signup", days=(1, 3), retention="window:7-13")
SEARCH = SearchInputs("signup", 0, 6, retention="window:7-13")
PLAN = Question("exp", ("control", "nudge"), ("on_day:1", "count:play:0-2"), "add", times=2, days=6)


def _day(day: int, number: np.random.Generator) -> pa.Table:
    """New users, their exposures, and what those play who came before."""
    users = [f"user-{born}-{place:x}" for born in range(day + 1) for place in range(NEW)]
    new = users[-NEW:]
    here = [user for user in users if number.random() < (0.9 if user in new else 0.3)]
    times = number.poisson((1, 3, 0.3, 0.7), (len(here), len(KINDS)))
    done = [(user, name) for user, row in zip(here, times, strict=True) for name, n in zip(KINDS, row, strict=True) for _ in range(n)]  # fmt: skip  # noqa: E501
    rows = [(user, "signup") for user in new] + [(user, "Experiment Viewed") for user in new[::2]] + done
    seconds = [int(number.integers(0, 900) if name == "signup" else number.integers(900, 86_000)) for _, name in rows]
    at = pa.array([FIRST + timedelta(days=day, seconds=second) for second in seconds], pa.timestamp("us", tz="UTC"))
    said = [
        f'{{"experiment_id": "exp", "variation_id": "{("control", "nudge")[len(user) % 2]}"}}'
        if name == "Experiment Viewed"
        else f'{{"price": {number.integers(1, 900)}, "plan": "{number.choice(["a", "b"])}"}}'
        for user, name in rows
    ]
    ids = [f"{day}-{number.integers(10**12)}" for _ in rows]
    columns = {"user_id": [user for user, _ in rows], "event": [name for _, name in rows], "time": at}
    return pa.table({**columns, "properties": said, "message_id": ids, "received_at": at})


@pytest.fixture
def event_store(tmp_path: Path, settings: Settings) -> Path:
    settings.EVENTS_URL = str(tmp_path / "events")
    number = np.random.default_rng(1)
    for day in range(DAYS):
        event_table.append(_day(day, number), app_id="test", version=day + 1)
    return tmp_path / "events"


HELD_OUT = HoldoutQuestion(
    holdout="h",
    seed="seed",
    share=1000,
    since=date(2026, 1, 10),
    population=Population.KNOWN_BEFORE,
    signup_event="",
    outcome="count:play:0-6",
    day_mode="rolling",
    alpha=0.05,
    method="fixed",
    readings=(date(2026, 1, 25),),
    planned_units=None,
    spending="obf",
)

type Asked = tuple[Price, Callable[[], object]]


def study(**changes: Any) -> Asked:
    inputs = StudyInputs(**{**vars(STUDY), **changes})
    told = price_of(lambda store: study_readings(inputs, store), day_mode=inputs.day_mode, dates=inputs.dates)

    def ask() -> None:
        with questions(day_mode=inputs.day_mode) as session:
            study_gather(session, inputs, Restriction(), seed=1, early=lambda *_: None)

    return told, ask


def search(**changes: Any) -> Asked:
    inputs = SearchInputs(**{**vars(SEARCH), **changes})
    told = price_of(lambda store: search_readings(inputs, store), day_mode=inputs.day_mode, dates=inputs.dates)

    def ask() -> None:
        with questions(day_mode=inputs.day_mode) as session:
            read_play(session, inputs, seed=1, early=lambda *_: None)

    return told, ask


def analysis(**changes: Any) -> Asked:
    question = Question(**{**vars(PLAN), **changes})
    told = price_of(lambda store: analysis_readings(question, store), day_mode=question.day_mode)

    def ask() -> None:
        with questions(day_mode=question.day_mode) as session:
            analysis_gather(session, question, primary=question.outcomes[:1])

    return told, ask


def check(text: str, signup: str = "signup") -> Asked:
    facts = Facts(text)
    told = price_of(lambda store: check_metric._readings(facts.read(), signup, 1, store))

    def ask() -> None:
        with questions() as session:
            check_metric.check_metric(
                session, facts, weeks=1, splits=10, signup_event=signup, seed=1, progress=lambda *_: None
            )

    return told, ask


def published() -> Asked:
    chosen = ("play", "add")

    def ask() -> None:
        with questions() as session:
            read_units(session, SEARCH, chosen)

    return price_of(lambda store: units(SEARCH, store, chosen)), ask


def holdout(**changes: Any) -> Asked:
    question = replace(HELD_OUT, **changes)
    told = price_of(lambda store: holdout_readings._read_by(question, store))

    def ask() -> None:
        with questions() as session:
            holdout_readings.moments_of(session, question, session.basis.data_end)

    return told, ask


WEEK = {"first_date": "2026-01-06", "last_date": "2026-01-10"}
QUESTIONS: dict[str, Callable[[], Asked]] = {
    "study": study,
    "study of a week": lambda: study(**WEEK),
    "study by calendar days": lambda: study(day_mode="calendar", **WEEK),
    "study of some behaviours": lambda: study(behaviours=("play", "add"), **WEEK),
    "study of a property": lambda: study(behaviours=("buy[plan=a]", "play"), **WEEK),
    "study of everybody": lambda: study(signup_event="*", days=(1, 3, 7)),
    "search": search,
    "search of a week": lambda: search(**WEEK),
    "search by calendar days": lambda: search(day_mode="calendar", **WEEK),
    "search of some behaviours": lambda: search(behaviours=("play", "add", "buy"), **WEEK),
    "search without retention": lambda: search(retention=None, **WEEK),
    "search with churn": lambda: search(retention="survival:7", **WEEK),
    "analysis": analysis,
    "analysis of sums": lambda: analysis(outcomes=("sum:buy:price:0-6",)),
    "analysis by signups": lambda: analysis(clock="signup", covariates=("plan",), active_days_before=3),
    "check of a metric": lambda: check("count:play:0-2"),
    "check of a ratio of sums": lambda: check("sum:buy:price:0-2 / count:buy:0-2"),
    "check of everybody": lambda: check("on_day:3", "*"),
    "units of a published version": published,
    "holdout reading": holdout,
    "holdout reading of signups": lambda: holdout(population=Population.SIGNUP, signup_event="signup"),
    "analysis of a funnel": lambda: analysis(outcomes=("funnel:add:play:0-3",), day_mode="calendar"),
}
BY_DAILY_TABLES = ("study", "study of a week", "search of a week", "search with churn")
ALLOWED = 0.2


def off(asked: Asked) -> float:
    """By which share the price differs from what is read."""
    told, ask = asked
    with metered() as meter:
        ask()
    return told.bytes / meter.bytes - 1


@pytest.mark.slow
def test_price__of_twenty_questions__is_within_a_fifth_of_what_is_read(event_store: Path) -> None:
    found = {}
    for name, ask in QUESTIONS.items():
        increments.forget()  # as if nobody had asked before: all of these are about one experiment
        found[name] = off(ask())
    assert daily_tables.refresh().days == DAYS
    found |= {f"{name}, by daily tables": off(QUESTIONS[name]()) for name in BY_DAILY_TABLES}
    for name in (next_day := ("analysis", "analysis by signups")):
        QUESTIONS[name]()[1]()
    event_table.append(_day(DAYS, np.random.default_rng(2)), app_id="test", version=DAYS + 1)
    found |= {f"{name}, the next day": off(QUESTIONS[name]()) for name in next_day}

    assert len(found) >= 20
    assert {name: f"{share:+.1%}" for name, share in found.items() if abs(share) > ALLOWED} == {}


def test_price__opens_no_engine_and_says_files_and_rows(event_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_embedded", None)

    whole, week = study()[0], study(**WEEK)[0]

    assert whole.known
    assert week.known
    assert whole.files is not None
    assert whole.files > DAYS
    assert 0 < week.rows <= whole.rows
    assert week.bytes < whole.bytes / 2


def test_price__in_an_engine_that_cant_say_it__is_not_known_by_its_name(event_store: Path, settings: Settings) -> None:
    settings.WAREHOUSE_URL = "duckdb:///elsewhere.duckdb"

    assert study()[0] == Price(known=False, engine="DuckDB")
