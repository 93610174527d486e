"""Each night: what came back by another way goes again, and what was left is ended."""

from datetime import timedelta

import pytest
from django.utils import timezone

from events.models import ErasedUser, UnitTraits
from events.outbox import flush
from insight_site.models import Erasure
from insight_site.privacy import erasure, erasure_requests
from insight_site.privacy.erasure import mend
from insight_site.tasks import retain
from tests.events.erasing.test_erase_events import rows
from tests.events.test_flush import accept_some, plain_ids

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_mend__an_erased_user_came_back_by_a_file_or_a_row__goes_again() -> None:
    from events.store import event_table

    accept_some("a", user="gone-1")
    flush.flush_events()
    erasure.perform_erasure(erasure_requests.request_erasure(ids=["gone-1"], later=False).pk)
    until = ErasedUser.objects.get().until
    event_table.append(rows("gone-1", "stays", ids="1:s:"), app_id="import", version=1)
    UnitTraits.objects.create(user_id="gone-1")

    done = mend()

    assert done == {"erasures_continued": 0, "users_erased_again": 1, "digests_dropped": 0}
    assert (plain_ids(), UnitTraits.objects.exists()) == ({"0-1": 1}, False)
    assert ErasedUser.objects.get().until == until
    assert mend()["users_erased_again"] == 0


def test_mend__an_erasure_that_nobody_works_on__is_ended() -> None:
    row = erasure_requests.request_erasure(ids=["gone-1"], later=False)
    young = erasure_requests.request_erasure(ids=["gone-2"], later=False)
    Erasure.objects.filter(pk=row.pk).update(asked_at=timezone.now() - timedelta(hours=7))

    assert mend()["erasures_continued"] == 1
    assert {Erasure.objects.get(pk=pk).state for pk in (row.pk, young.pk)} == {"done", "waiting"}


def test_task__each_night__does_both() -> None:
    assert set(retain()) == {
        *("erasures_continued", "users_erased_again", "digests_dropped", "events", "users", "traits", "log_bytes")
    }
