"""Formats of times: each is recognised from its own values, and nothing else is taken for a time."""

from datetime import UTC, datetime, timedelta

import pytest

from events.importing.text_reading import (
    FORMATS,
    PATTERNS,
    example,
    format_of,
    has_zone,
    is_ambiguous,
    needs_zone,
    reads,
)

MOMENTS = [datetime(2024, 1, 3, 4, 5, 6, tzinfo=UTC) + timedelta(days=17, hours=5, seconds=77) * k for k in range(40)]


@pytest.mark.parametrize("code", PATTERNS)
def test_pattern__its_own_values__recognised(code: str) -> None:
    values = [moment.strftime(code) for moment in MOMENTS]

    found = format_of(values)

    # ISO reads year-month-day too, and the plainer name is said.
    assert found == ("iso" if code in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S") else code)
    assert reads(code, example(code))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (["1082040961", "1082155839"], "unix_s"),
        (["1082040961.25"], "unix_s"),
        (["1709287200123"], "unix_ms"),
        (["1709287200123456"], "unix_us"),
        (["20240301", "20240229"], "%Y%m%d"),
        (["2024-03-01T10:00:00.123456Z"], "iso"),
        (["2018-06-13 23:22:01.080006+00:00"], "iso"),
        (["2024-03-01 오후 3:05", "2024-03-01 오전 9:57"], "%Y-%m-%d %p %I:%M"),
        (["2024. 3. 1.", "2024. 11. 21."], "%Y. %m. %d."),
        (["31/12/2023", "01/02/2024"], "%d/%m/%Y"),
        (["12/31/2023", "01/02/2024"], "%m/%d/%Y"),
        (["255201", "255202"], ""),  # a user's number
        (["20240230"], ""),  # no day of the calendar
        (["99999999999"], ""),  # eleven digits: no clock counts so
        (["play", "stop"], ""),
        (["", " "], ""),
        ([], ""),
    ],
)
def test_format_of__values__as_a_person_would_say(values: list[str], code: str) -> None:
    assert format_of(values) == code


@pytest.mark.parametrize(("broken", "code"), [(1, "iso"), (2, "")])
def test_format_of__a_tenth_broken_at_most(broken: int, code: str) -> None:
    assert format_of(["2024-03-01"] * (10 - broken) + ["soon"] * broken) == code


@pytest.mark.parametrize(("seconds", "code"), [(631_151_999, ""), (631_152_000, "unix_s"), (4_102_444_800, "")])
def test_unix__begins_in_1990_and_ends_in_2100(seconds: int, code: str) -> None:
    assert format_of([str(seconds)]) == code


def test_zone__only_where_every_value_has_one() -> None:
    assert has_zone(["2024-03-01T10:00Z", "2024-03-01 10:00:00+09:00"])
    assert not has_zone(["2024-03-01T10:00Z", "2024-03-01 10:00"])
    assert not needs_zone("iso", ["2024-03-01T10:00Z"])
    assert needs_zone("iso", ["2024-03-01"])
    assert needs_zone("%Y%m%d", ["20240301"])
    assert not needs_zone("unix_s", ["1082040961"])


def test_ambiguous__only_when_both_orders_read_all() -> None:
    assert is_ambiguous("%d/%m/%Y", ["01/02/2024", "03/04/2024"])
    assert not is_ambiguous("%d/%m/%Y", ["01/02/2024", "13/04/2024"])
    assert not is_ambiguous("%Y%m%d", ["20240101"])


def test_formats__each_once() -> None:
    assert len(set(FORMATS)) == len(FORMATS)
