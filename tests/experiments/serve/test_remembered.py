"""What a process remembers of assignments: it spares questions, and never outlives the row it was read of."""

from typing import Any

import pytest
from django.db import OperationalError, transaction

from events.models import OutboxEvent
from experiments.draw.evaluation import Evaluation
from experiments.models import Assignment, ConfigVersion
from experiments.serve import assign, config, store_assignment
from tests.experiments.make import cut_off, do, running

pytestmark = pytest.mark.django_db(transaction=True)


def ask(unit: str = "u1", *, expose: bool = True) -> Evaluation:
    answer = assign.evaluate("exp", unit, {}, expose=expose)
    assert isinstance(answer, Evaluation)
    return answer


def test_known_unit__asked_again__asks_the_database_nothing(django_assert_num_queries: Any) -> None:
    running()
    first = ask()

    with django_assert_num_queries(0):
        again = ask()

    assert (again.variant, again.metadata["sticky"], first.metadata["sticky"]) == (first.variant, True, False)


def test_known_unit__while_the_database_is_away__has_its_stored_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    running()
    ask("u1")
    away = Assignment.objects.get(unit="u1")
    other = next(arm for arm in away.experiment.variants.all() if arm.pk != away.variant_id)
    Assignment.objects.filter(unit="u1").update(variant=other)  # the hash would say another arm
    store_assignment.forget()
    assert ask("u1").variant == other.key

    def gone(*args: Any, **options: Any) -> None:
        raise OperationalError

    cut_off(monkeypatch, gone)

    assert (ask("u1").variant, ask("u1").metadata["sticky"]) == (other.key, True)
    assert ask("u2").metadata["sticky"] is False  # unknown: by hash


def test_unit__assigned_without_exposure__is_exposed_once_by_the_first_call_that_meets_it() -> None:
    running()
    ask(expose=False)
    ask(expose=False)
    assert OutboxEvent.objects.count() == 0

    ask()
    ask()

    assert OutboxEvent.objects.count() == 1


def test_exposure__stamped_by_another_process__is_not_made_again() -> None:
    running()
    ask(expose=False)  # remembered as not exposed
    kept = store_assignment.recall(("u1", Assignment.objects.get().experiment_id), config.current().stamp)
    assert kept is not None
    store_assignment.forget()
    ask()  # as another process would
    store_assignment.keep({("u1", Assignment.objects.get().experiment_id): kept}, config.current().stamp)

    ask()

    assert OutboxEvent.objects.count() == 1


def test_rows__taken_away_with_a_raised_number__are_forgotten() -> None:
    running()
    ask()
    with transaction.atomic():
        Assignment.objects.all().delete()
        ConfigVersion.touch()
    config.forget()  # the second in which it may be a second old

    assert ask().metadata["sticky"] is False
    assert Assignment.objects.count() == 1


def test_row__read_before_the_number_was_raised__is_not_recalled_after() -> None:
    running()
    ask()
    pair = ("u1", Assignment.objects.get().experiment_id)
    before = config.current().stamp
    row = store_assignment.recall(pair, before)
    assert row is not None
    ConfigVersion.touch()
    config.forget()

    store_assignment.keep({pair: row}, before)  # a thread that was slow

    assert store_assignment.recall(pair, config.current().stamp) is None


def test_stop__of_the_experiment__is_obeyed_for_remembered_units() -> None:
    running()
    ask()

    do("exp", "stop")

    assert ask().reason == "DISABLED"


def test_transaction__that_is_rolled_back__leaves_nothing_remembered() -> None:
    running()
    with transaction.atomic():
        ask()
        transaction.set_rollback(True)

    assert Assignment.objects.count() == 0
    assert ask().metadata["sticky"] is False
    assert Assignment.objects.count() == 1


def test_memory__is_bounded__and_the_oldest_go_first(settings: Any, django_assert_num_queries: Any) -> None:
    settings.ASSIGNMENTS_REMEMBERED = 3
    running()
    for number in range(5):
        ask(f"u{number}")

    with django_assert_num_queries(0):
        ask("u4"), ask("u3"), ask("u2")
    row = Assignment.objects.get(unit="u0")
    assert store_assignment.recall(("u0", row.experiment_id), config.current().stamp) is None


def test_batch__of_a_command__pushes_nobody_out(settings: Any, django_assert_num_queries: Any) -> None:
    settings.ASSIGNMENTS_REMEMBERED = 3
    running()
    ask("caller")
    list(assign.assign_units(experiment_key="exp", units=[f"u{number}" for number in range(10)]))

    with django_assert_num_queries(0):
        ask("caller")
