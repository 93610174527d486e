"""Two experiments of one flag start at the same moment: one runs, the other is refused with a sentence."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from experiments.models import Experiment
from experiments.plan import moves
from experiments.plan.lifecycle import Action, refusals
from runs.refusals import Refused
from tests.experiments.make import draft


def test_start__flag_taken_since_it_was_asked__is_refused_not_an_error(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    draft("one", flag_key="flag")
    draft("two", flag_key="flag")
    moves.move(key="one", action=Action.START)
    asked = list[int]()

    def blind_once(*given: object) -> object:
        asked.append(1)
        return () if len(asked) == 1 else refusals(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(moves, "refusals", blind_once)

    with pytest.raises(Refused, match="flag"):
        moves.move(key="two", action=Action.START)
    assert Experiment.objects.get(key="two").status == "draft"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_starts__of_32_threads_on_one_flag__one_runs_the_others_are_refused() -> None:
    for name in ("one", "two"):
        draft(name, flag_key="flag")
    barrier = threading.Barrier(32)

    def call(number: int) -> str:
        try:
            connection.ensure_connection()
            barrier.wait()
            return moves.move(key=("one", "two")[number % 2], action=Action.START).status
        except Refused:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(call, range(32)))

    assert sorted(found) == ["refused"] * 31 + ["running"]
