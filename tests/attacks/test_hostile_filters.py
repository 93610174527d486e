"""S28: NUL, huge years and numbers in every filter and search: never a 500, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests.attacks import routes
from tests.experiments.api.make import Api

pytestmark = pytest.mark.django_db
HOSTILE = ("\x00", "a\x00b", "9" * 30, "-1", "\ud7ff\u2028", "' OR 1=1 --", "2026-13-45", "[]", "null")
LOOKUPS = ("", "__exact", "__year", "__gte", "__id__exact")
# What people's pages read of their address.
READ = (
    "q", "id", "view", "verdict", "tab", "sort", "s", "rule", "property", "page", "of", "moment", "letter", "key",
    "hidden", "exposure", "by", "b", "a", "at", "again", "since", "source", "after", "name", "status", "kinds",
)  # fmt: skip


def admin_questions() -> Iterator[str]:
    for model, page in admin.site._registry.items():
        names = [one if isinstance(one, str) else str(getattr(one, "parameter_name", "")) for one in page.list_filter]
        names += [page.date_hierarchy] if page.date_hierarchy else []
        address = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
        for value in ("\x00", "9" * 30):
            yield from (f"{address}?{name}={quote(value)}" for name in ("q", "p", "o"))
            yield from (f"{address}?{name}{lookup}={quote(value)}" for name in names for lookup in LOOKUPS)
        yield from (f"{address}?q={quote(value)}" for value in HOSTILE)


def calm(client: Client) -> Client:
    """The same person, who sees a 500 as a browser does."""
    other = Client(raise_request_exception=False)
    other.cookies = client.cookies
    return other


def failed(client: Client, addresses: list[str]) -> list[str]:
    return [address for address in addresses if client.get(address).status_code >= 500]


@pytest.mark.slow
def test_admin__hostile_filters_and_searches__never_fail(admin_client: Client) -> None:
    routes.make_site()
    admin_client = calm(admin_client)
    addresses = list(admin_questions())

    assert len(addresses) > 500
    assert failed(admin_client, addresses) == []  # 69 of 453 on PostgreSQL before


@pytest.mark.slow
def test_pages_and_api__hostile_questions__never_fail(admin_client: Client) -> None:
    routes.make_site()
    admin_client = calm(admin_client)
    places = [one.address for one in routes.all_routes() if not one.name.startswith(("admin:", "log", "set_"))]
    names = "&".join(f"{name}={{0}}" for name in READ)  # all at once: a page reads its own
    lists = [f"{place}?{names.format(quote(value))}" for value in HOSTILE[:3] for place in places]

    assert failed(admin_client, lists) == []


@pytest.mark.slow
def test_keys__hostile_filters_of_lists__are_refused(admin_client: Client) -> None:
    routes.make_site()
    api = Api("admin", "admin:*", "reports:read", "segments:read")
    found = []
    for path in ("experiments", "studies", "moments", "findings", "segments", "segmentations", "segment-models"):
        for name in ("status", "page", "page_size", "key", "search", "version__number", "targetable", "kind", "cursor"):
            for value in HOSTILE:
                answer = api("GET", f"/api/v1/{path}?{name}={quote(value)}")
                if answer.status_code >= 500:
                    found.append((path, name, value))

    assert found == []


@pytest.mark.parametrize("path", ["/admin/events/rejected/", "/admin/events/unittraits/"])
def test_forms__hostile_rows_of_an_action__never_fail(admin_client: Client, path: str) -> None:
    routes.make_site()
    admin_client = calm(admin_client)
    for value in HOSTILE:
        form = {"action": "delete_selected", "_selected_action": [value], "post": "yes"}

        assert admin_client.post(path, form).status_code < 500, value
