"""What is written into the calendar: what is refused and where, references, files that come whole or not at all."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from events.calendar import entries
from events.calendar.entries import Written
from events.models import CalendarEntry
from runs.refusals import Refused

pytestmark = pytest.mark.django_db
RELEASE = Written("release", "4.2", date(2026, 3, 31), reference="app-4.2")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "party"}, "kind"),
        ({"title": " \x00 "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"starts": date(1999, 12, 31)}, "starts"),
        ({"ends": date(2101, 1, 1)}, "ends"),
        ({"ends": date(2026, 3, 30)}, "ends"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"link": "https://"}, "link"),
        ({"link": "http://[1"}, "link"),
        ({"note": "x" * 1001}, "note"),
        ({"reference": "x" * 201}, "reference"),
    ],
)
def test_entry__with_a_wrong_field__is_refused_there_and_nothing_is_written(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        entries.add(entry=replace(RELEASE, **wrong), by=None)

    assert refused.value.at == field
    assert not CalendarEntry.objects.exists()


@pytest.mark.parametrize(
    "right",
    [
        {"title": "x" * 120},
        {"starts": date(2000, 1, 1)},
        {"ends": date(2026, 3, 31)},
        {"ends": date(2100, 12, 31)},
        {"link": "https://wiki.example/4.2"},
        {"note": "x" * 1000},
    ],
)
def test_entry__at_the_limit__is_written(right: dict[str, Any]) -> None:
    row = entries.add(entry=replace(RELEASE, **right), by=None)

    assert {name: getattr(row, name) for name in right} == right


def test_put__with_a_reference_that_is_there__changes_its_entry() -> None:
    first, is_new = entries.put(entry=RELEASE, by=None)
    again, is_new_again = entries.put(entry=replace(RELEASE, title="4.2.1"), by=None)
    entries.put(entry=replace(RELEASE, reference=""), by=None)
    entries.put(entry=replace(RELEASE, reference=""), by=None)

    assert (is_new, is_new_again, first.pk) == (True, False, again.pk)
    assert sorted(CalendarEntry.objects.values_list("title", "reference")) == [
        ("4.2", ""),
        ("4.2", ""),
        ("4.2.1", "app-4.2"),
    ]


def test_reference__of_another_entry__is_refused() -> None:
    entries.add(entry=RELEASE, by=None)
    other = entries.add(entry=replace(RELEASE, reference="app-4.3"), by=None)

    with pytest.raises(Refused, match=r"app-4\.2") as added:
        entries.add(entry=RELEASE, by=None)
    with pytest.raises(Refused, match=r"app-4\.2") as changed:
        entries.change(row=other, entry=RELEASE)

    assert (added.value.at, changed.value.at) == ("reference", "reference")
    assert CalendarEntry.objects.count() == 2


CSV = """\ufeffkind,title,starts,ends,reference
Release, 4.2 ,2026-03-31,,app-4.2

campaign,"Spring, again",2026-04-01,2026-04-14,
"""


def test_file__read_twice__has_its_entries_once_where_they_have_a_reference() -> None:
    written = entries.read_csv(CSV.encode())

    assert written == [RELEASE, Written("campaign", "Spring, again", date(2026, 4, 1), date(2026, 4, 14))]
    assert entries.import_all(entries=written, by=None) == (2, 0)
    assert entries.import_all(entries=written, by=None) == (1, 1)
    assert CalendarEntry.objects.count() == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The first line names the columns"),
        (b"kind,title\n", "The first line names the columns"),
        (b"kind,title,starts,colour\n", "The first line names the columns"),
        (b"kind,title,starts,title\n", "The first line names the columns"),
        (b"kind,title,starts\nrelease,4.2\n", "Line 2 has 2 columns; the first line has 3."),
        (b"kind,title,starts\nrelease,4.2,31.3.2026\n", "Line 2, starts: “31.3.2026” is no date"),
        (b"kind,title,starts\nrelease,4.2,\n", "Line 2, starts: It needs a date."),
        (b"kind,title,starts\nrelease,4.2,2026-03-31\nparty,x,2026-03-31\n", "Line 3, kind: “party” is none of"),
        (b"kind,title,starts\n\xff\xfe", "The file isn't UTF-8 text."),
        (b'kind,title,starts\nrelease,"4.2,2026-03-31\n', "This isn't a CSV file"),
        (b"kind,title,starts\n" + b"release,4.2,2026-03-31\n" * 5_001, "A file has at most 5000 rows"),
        (b"x" * (entries.MOST_BYTES + 1), "The file is larger than 2 MB."),
    ],
)
def test_file__that_is_wrong__is_refused_with_its_place(content: bytes, said: str) -> None:
    with pytest.raises(Refused) as refused:
        entries.read_csv(content)

    assert str(refused.value).startswith(said)


def test_file__of_which_one_entry_cant_be_written__writes_none() -> None:
    good = replace(RELEASE, reference="")

    with pytest.raises(Refused):
        entries.import_all(entries=[good, replace(good, kind="party")], by=None)

    assert not CalendarEntry.objects.exists()
