"""The same seed gives the same study, groups and analysis wherever the events lie: in a folder, in S3, on Spark."""

from collections.abc import Callable, Iterator

import pytest
from django.test import override_settings

from events.inflow import newest_files
from tests import object_store
from tests.engines.conftest import World
from tests.engines.everything import JOBS, UNITS, Done, do
from tests.engines.same import assert_same

pytestmark = [pytest.mark.engines, pytest.mark.django_db, pytest.mark.parametrize("job", JOBS)]


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


def test_s3__each_job__gives_the_same_document_and_the_same_cells(
    job: str, world: World, in_bucket: str, from_folder: Callable[[str], Done]
) -> None:
    right = from_folder(job)

    with world.stored(in_bucket):
        found = do(job, world.made)
        newest = newest_files.latest_rows(50)

    assert_same(found, right)
    assert len(newest) == 50


def test_spark__each_job__gives_the_same_document_and_the_same_cells(
    job: str, world: World, spark_address: str, from_folder: Callable[[str], Done]
) -> None:
    right = from_folder(job)

    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="world"):
        found = do(job, world.made)

    assert_same(found, right)
    assert max(map(len, found.answers)) <= 2 * UNITS  # one row per unit and half of its days at the most
    assert world.made.log.user.size > 20 * UNITS  # the events, which stay where they are
