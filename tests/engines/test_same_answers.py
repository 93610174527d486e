"""The same seed gives the same study, groups and analysis wherever the events lie, and with any number of workers.

In a folder with one worker, in S3 with two, on Spark with four.
"""

from collections.abc import Callable, Iterator

import pytest
from django.test import override_settings

from tests import object_store
from tests.engines.conftest import World
from tests.engines.everything import JOBS, STORE_JOBS, UNITS, Done, do
from tests.engines.leaving import rows_that_leave
from tests.engines.same import assert_same

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
# Rows that may leave the cluster for one answer: aggregates; of a study what the users of its sample did on each of
# seven days; of a segmentation how often each user did each of the fourteen things that the world's users do.
MOST_ROWS = {
    "catalogue": 200,
    "retention": 100,
    "reach": 100,
    "analysis": 400,
    "study": UNITS * 9,
    "groups": UNITS * 14,
}


@pytest.fixture(scope="session")
def from_folder(world: World) -> Callable[[str], Done]:
    """What the embedded engine makes of a folder: each job is asked once a session."""
    kept: dict[str, Done] = {}

    def answered(job: str) -> Done:
        if job not in kept:
            with world.stored(str(world.folder / "store")):
                kept[job] = do(job, world.made)
        return kept[job]

    return answered


@pytest.fixture(scope="session")
def in_bucket(s3_server: str) -> Iterator[str]:
    """The address of one store in S3 for all jobs."""
    with pytest.MonkeyPatch.context() as patch:
        yield object_store.new_bucket(s3_server, patch.setenv)


@pytest.mark.parametrize("job", [*JOBS, *STORE_JOBS])
def test_s3__each_job__gives_the_same_document_and_the_same_cells(
    job: str, world: World, in_bucket: str, from_folder: Callable[[str], Done]
) -> None:
    right = from_folder(job)

    with world.stored(in_bucket):
        found = do(job, world.made, workers=2)

    assert_same(found, right)


@pytest.mark.parametrize("job", JOBS)
def test_spark__each_job__gives_the_same_document_and_the_same_cells(
    job: str, world: World, spark_address: str, from_folder: Callable[[str], Done]
) -> None:
    right = from_folder(job)

    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="world"), rows_that_leave() as left:
        found = do(job, world.made, workers=4)

    assert_same(found, right)
    # Counted where Spark hands them over, whoever asked: the events themselves stay where they are.
    assert len(left) >= len(found.answers)
    assert max(left) <= MOST_ROWS[job] < world.made.log.user.size // 5
