"""Lists of runs: filtered, paged, with htmx and without; and tables whose numbers line up."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from aha.models import Study
from insight_site.templatetags.rows import aligned
from runs.web import PER_PAGE
from segments.models import SegmentationRun


@pytest.fixture
def reader(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_user("ann"))
    return client


LISTS = [("/aha/studies/", Study), ("/segments/", SegmentationRun)]


@pytest.mark.parametrize(("path", "model"), LISTS)
@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["Spring", "Autumn"]),
        ("?q=spr", ["Spring"]),
        ("?state=failed", ["Autumn"]),
        ("?q=spr&state=failed", []),
        ("?state=nonsense", ["Spring", "Autumn"]),
        ("?q=%00spring", ["Spring"]),
        ("?page=99", ["Spring", "Autumn"]),
        ("?page=x", ["Spring", "Autumn"]),
    ],
)
def test_list__filtered__shows_what_was_asked(
    reader: Client, path: str, model: Any, query: str, shown: list[str]
) -> None:
    model.objects.create(title="Spring", status="cancelled")
    model.objects.create(title="Autumn", status="failed")

    text = reader.get(path + query).content.decode()

    assert [name for name in ("Spring", "Autumn") if f">{name}</a>" in text] == shown
    assert ("Nothing matches." in text) == (shown == [])


@pytest.mark.parametrize(("path", "model"), LISTS)
def test_list__for_htmx__is_the_rows_alone_and_says_that_it_varies(reader: Client, path: str, model: Any) -> None:
    model.objects.create(title="Spring", status="failed")

    whole, part = reader.get(path), reader.get(path, headers={"HX-Request": "true"})

    assert b"<html" in whole.content
    assert b"<html" not in part.content
    assert b"Spring" in part.content
    assert "HX-Request" in whole["Vary"]
    assert "HX-Request" in part["Vary"]


@pytest.mark.parametrize(("path", "model"), LISTS)
def test_list__more_than_a_page__keeps_the_filter_in_its_links(reader: Client, path: str, model: Any) -> None:
    for number in range(PER_PAGE + 1):
        model.objects.create(title=f"run {number:02}", status="failed")

    first = reader.get(f"{path}?q=run").content.decode()
    second = reader.get(f"{path}?q=run&page=2").content.decode()

    assert 'href="?q=run&amp;page=2"' in first
    assert "run 00" not in first
    assert "run 00" in second
    assert 'href="?q=run&amp;page=1"' in second


@pytest.mark.parametrize(
    ("cells", "end"),
    [
        (["1,000", "20", "0"], True),
        (["59.4% (56.9 ⋯ 61.9)", "8.5% (7.3 … 9.8)", ""], True),
        (["+8.1 (+5.1 … +11.1)", "−0.4 (−2.9 … +2.0)"], True),
        (["< 0.001", "0.020"], True),
        (["1,000", "too few users"], False),
        (["3 times", "4 times"], False),
        (["", ""], False),
        ([], False),
    ],
)
def test_aligned__columns_of_numbers__are_set_to_the_right(cells: list[str], end: bool) -> None:
    table = SimpleNamespace(columns=("name", "value"), rows=tuple(("a", cell) for cell in cells))

    found = aligned(table)

    assert found["columns"] == [("name", False), ("value", end)]
    assert [(cell, "end" in classes.split()) for cell, classes, _ in (row[1] for row in found["rows"])] == [
        (cell, end) for cell in cells
    ]


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("6.36 points", True),
        ("< 0.0001", True),
        ("2026-04-01", True),
        ("as planned", False),
        ("", False),
        ("4.99 … 7.73 points", False),
    ],
)
def test_aligned__short_figures__are_not_torn(cell: str, kept: bool) -> None:
    found = aligned(SimpleNamespace(columns=("name", "value"), rows=(("a", "words"), ("b", cell))))

    assert ("keep" in found["rows"][1][1][1].split()) is kept
