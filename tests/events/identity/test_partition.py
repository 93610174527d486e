"""Which links hold: cases by hand, and that the order in which links arrive changes nothing."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.people import identity
from events.people.identity import MOST_IDS, MOST_USERS, Link, judge, root_of

START = datetime(2026, 11, 1, tzinfo=UTC)


def link(visitor: str, user: str, hour: int, **how: bool) -> Link:
    return Link(visitor, user, START + timedelta(hours=hour), **how)


def states(*links: Link) -> list[str]:
    """The state of each, as the service asks for it: users are those to whom a link that is believed leads."""
    found = judge(links, {one.user for one in links if one.believed})
    return [found[one.ids] for one in links]


CASES = {
    "a login": ([link("v", "u", 1)], ["holds"]),
    "one user on two devices": ([link("v", "u", 1), link("w", "u", 2)], ["holds", "holds"]),
    "a shared device": ([link("v", "u", 1), link("v", "w", 2)], ["holds", "second_user"]),
    "a shared device, the first login late": ([link("v", "w", 2), link("v", "u", 1)], ["second_user", "holds"]),
    "a visitor's id that is a user's": ([link("u", "w", 1), link("v", "u", 2)], ["known_user", "holds"]),
    "two users who name each other": ([link("u", "w", 1), link("w", "u", 2)], ["known_user", "known_user"]),
    "an id that was a user's before": ([link("u", "w", 1, knew_visitor=True)], ["known_user"]),
    "an alias of two users": (
        [link("v", "u", 1), link("w", "x", 2), link("u", "x", 3, is_alias=True)],
        ["holds", "holds", "holds"],
    ),
    "a chain of aliases": ([link("a", "b", 1, is_alias=True), link("b", "c", 2, is_alias=True)], ["holds", "holds"]),
    "a circle of aliases": (
        [link(*ids, hour, is_alias=True) for hour, ids in enumerate((("a", "b"), ("b", "c"), ("c", "a")))],
        ["holds", "holds", "cycle"],
    ),
    "a client key's word": ([link("v", "u", 1, by_server=False, believed=False)], ["public_key"]),
    "a server's word after a client's that is believed": (
        [link("v", "thief", 1, by_server=False), link("v", "u", 2)],
        ["second_user", "holds"],
    ),
}


@pytest.mark.parametrize(("links", "expected"), CASES.values(), ids=CASES)
def test_judge(links: list[Link], expected: list[str]) -> None:
    assert states(*links) == expected


@pytest.mark.parametrize(("logins", "last"), [(MOST_IDS - 1, "holds"), (MOST_IDS, "too_many")])
def test_judge__of_as_many_ids_as_a_person_may_have__holds_and_no_more(logins: int, last: str) -> None:
    assert states(*(link(f"v{n}", "u", n) for n in range(logins)))[-1] == last


@pytest.mark.parametrize(("aliases", "last"), [(MOST_USERS - 1, "holds"), (MOST_USERS, "too_many")])
def test_judge__of_as_many_users_as_may_be_one__holds_and_no_more(aliases: int, last: str) -> None:
    links = [link(f"v{n}", f"u{n}", 0) for n in range(aliases)]
    links += [link(f"u{n}", "all", n, is_alias=True) for n in range(aliases)]

    assert states(*links)[-1] == last


def test_judge__ids_counted_elsewhere__count_towards_the_limit() -> None:
    (found,) = judge([link("v", "u", 1)], {"u"}, {"u": (MOST_IDS - 1, 0)}).values()

    assert found == "too_many"


SLOWLY = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
NAMES = st.sampled_from("abcdef")
LINKS = st.lists(
    st.builds(
        Link,
        NAMES,
        NAMES,
        st.integers(0, 4).map(lambda hour: START + timedelta(hours=hour)),
        is_alias=st.booleans(),
        by_server=st.booleans(),
        believed=st.booleans(),
    ).filter(lambda one: one.visitor != one.user and (one.by_server <= one.believed) and one.is_alias <= one.by_server),
    max_size=12,
    unique_by=lambda one: one.ids,
)


@pytest.mark.slow
@SLOWLY
@given(LINKS, st.integers(0, 10_000))
def test_judge__in_any_order__is_the_same(links: list[Link], seed: int) -> None:
    users = {one.user for one in links if one.believed}
    shuffled = random.Random(seed).sample(links, len(links))

    assert judge(shuffled, users) == judge(links, users)


@pytest.mark.slow
@SLOWLY
@given(LINKS)
def test_judge__of_any_links__keeps_the_rule(links: list[Link]) -> None:
    found = judge(links, {one.user for one in links if one.believed})

    held = [one for one in links if found[one.ids] == "holds"]
    parents = {one.visitor: one.user for one in held}
    assert len(parents) == len(held)  # of each id at most one
    roots = {name: root_of(name, parents) for one in links for name in one.ids}  # ends: there is no circle
    for one in held:
        assert roots[one.visitor] == roots[one.user]
        assert one.believed
    # Two users are one only where aliases lead from the one to the other.
    users = {one.user for one in links if one.believed}
    aliases = {one.visitor for one in held if one.is_alias}
    assert all(visitor in aliases for visitor in parents if visitor in users)


def test_limits__are_those_that_are_documented() -> None:
    assert (identity.MOST_IDS, identity.MOST_USERS) == (500, 20)
