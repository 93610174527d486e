"""Nightly cleanup after erasures: requests whose worker died, and data that returned by a file or a flag evaluation."""

from collections.abc import Iterator

from django.apps import apps

from events.erasing import same_person
from events.identity import erased_users
from insight_site.models import Erasure
from insight_site.privacy.erasure import perform_erasure, unfinished
from runs.personal_data import UnitRows, all_places


def mend() -> dict[str, int]:
    """Resume abandoned erasures, erase users again whose data were re-imported, delete old digests."""
    again = unfinished()
    for pk in again:
        perform_erasure(pk)
    back = sorted(set(erased_users.are_known(_everybody())))
    if back:
        # Not `request_erasure`: the period in which their events are dropped must not start again.
        perform_erasure(Erasure.objects.create(ids=back, named=len(back), reference="nightly").pk)
    return {
        "erasures_continued": len(again),
        "users_erased_again": len(back),
        "digests_dropped": erased_users.drop_old(),
    }


def _everybody() -> Iterator[str]:
    """Every id in the store and in rows about one unit."""
    yield from same_person.known_users()
    for place in all_places():
        if isinstance(place, UnitRows):
            rows = apps.get_model(place.model)._base_manager.exclude(**{place.field: None})
            yield from rows.order_by().values_list(place.field, flat=True).distinct().iterator()
