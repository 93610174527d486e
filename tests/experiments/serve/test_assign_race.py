"""32 first calls for one unit at once, on whichever database the tests run."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from events.models import MessageId, OutboxEvent
from experiments.draw.evaluation import Evaluation
from experiments.models import Assignment
from experiments.serve import assign, store_assignment
from tests.experiments.make import IOS, running

CALLS = 32


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bulk_too", [False, True])
def test_first_calls__of_32_threads_at_once__agree_on_one_row_one_exposure_one_variant(bulk_too: bool) -> None:
    # The callers disagree about the segment, and the segments about the arm: only the stored row can make them agree.
    rows = [{"segment_key": "ios", "rule": IOS, "weights": [9_999, 1]}, {"weights": [1, 9_999]}]
    running(seed="9f2c41d07ab3", audience=rows)
    barrier = threading.Barrier(CALLS)

    def call(number: int) -> str:
        try:
            connection.ensure_connection()
            barrier.wait()
            context = {"platform": "ios" if number % 2 else "android"}
            if bulk_too and number % 4 == 0:
                (answer,) = assign.evaluate_all("user-1", context)
            else:
                answer = assign.evaluate("exp", "user-1", context)  # type: ignore[assignment]
            assert isinstance(answer, Evaluation)
            assert "assignmentId" not in answer.metadata
            return answer.variant
        finally:
            connection.close()

    for _ in range(5):
        Assignment.objects.all().delete()
        OutboxEvent.objects.all().delete()
        MessageId.objects.all().delete()
        store_assignment.forget()
        with ThreadPoolExecutor(CALLS) as pool:
            variants = list(pool.map(call, range(CALLS)))

        row, event = Assignment.objects.select_related("variant").get(), OutboxEvent.objects.get()
        assert set(variants) == {row.variant.key} == {json.loads(event.properties)["variation_id"]}
        assert row.exposed_at is not None
