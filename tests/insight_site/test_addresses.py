"""Who counts as one visitor."""

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from insight_site.access.callers import visitor_of


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::7%eth0", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),  # what a socket for both kinds says of an IPv4 caller
        ("unix:", "unix:"),
        ("x" * 90, "x" * 45),
    ],
)
def test_visitor__by_the_address__is_a_line_and_never_all_of_ipv4(
    address: str, visitor: str, settings: Settings
) -> None:
    settings.BEHIND_PROXY = False

    assert visitor_of(RequestFactory().get("/", REMOTE_ADDR=address)) == visitor


@pytest.mark.parametrize(
    ("written", "visitor"),
    [
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the caller wrote the first
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8:1:2::7]:4711", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
    ],
)
def test_visitor__behind_a_proxy__is_what_it_wrote_last_without_a_port(
    written: str, visitor: str, settings: Settings
) -> None:
    settings.BEHIND_PROXY = True

    assert visitor_of(RequestFactory().get("/", headers={"X-Forwarded-For": written})) == visitor
