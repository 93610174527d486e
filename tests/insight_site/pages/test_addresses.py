"""Addresses of people's pages: one style, and those of version 0.3 go on answering."""

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

FILES = (
    ".well-known/",
    "pictures/",
    "takeaway/",
    "segments/<int:pk>/members.csv",
)  # their addresses end like the file's name
MACHINES = ("api/v1/", "admin/", "healthz", "readyz")  # fixed by others, or by what calls them
# Without a last slash in 0.3: pages, and what a form of one was sent to.
PAGES = [
    "/demo/en",
    "/segments/runs/new",
    "/segments/runs/7",
    "/segments/runs/7/progress",
    "/segments/rules/new",
    "/segments/models/style",
    "/segments/comparisons/7",
    "/segments/comparisons/7/progress",
    "/segments/churn/7",
    "/segments/churn/7/progress",
]
FORMS = [
    "/share/aha.Study/7",
    "/share/7/revoke",
    "/segments/runs/new",
    "/segments/runs/7/cancel",
    "/segments/runs/7/publish",
    "/segments/rules/new",
    "/segments/rules/preview",
    "/segments/models/style/refresh",
    "/segments/7/name",
    "/segments/7/churn",
    "/segments/comparisons/7/cancel",
    "/segments/churn/7/cancel",
]


def routes(level: URLResolver, before: str = "") -> list[str]:
    """The addresses of all routes below this one, as the tables write them."""
    found = []
    for one in level.url_patterns:
        if isinstance(one, URLPattern):
            found.append(before + str(one.pattern))
        else:
            found += routes(one, before + str(one.pattern))
    return found


def test_pages__each__ends_in_a_slash() -> None:
    pages = [route for route in routes(get_resolver()) if not route.startswith(FILES + MACHINES)]

    assert len(pages) > 40
    assert [route for route in pages if route and not route.endswith(("/", ".csv", ".svg", ".png"))] == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_page_of_0_3__opened__is_found_at_its_address_of_today_for_good(client: Client, path: str) -> None:
    answer = client.get(f"{path}?page=2")

    assert (answer.status_code, answer["Location"]) == (301, f"{path}/?page=2")
    assert resolve(f"{path}/").view_name


@pytest.mark.django_db
@pytest.mark.parametrize("path", FORMS)
def test_form_of_0_3__sent__arrives_with_its_values(client: Client, path: str) -> None:
    answer = client.post(path, {"name": "Brawlers"})

    assert (answer.status_code, answer["Location"]) == (308, f"{path}/")
    assert resolve(f"{path}/").view_name


@pytest.mark.django_db
def test_address__that_no_page_has__is_not_found(client: Client) -> None:
    assert client.get("/segments/nobody").status_code == 404
    assert client.post("/segments/nobody").status_code == 404
