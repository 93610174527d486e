"""The sentences of a segmentation: the answer first, and never a number that says too much."""

import pytest

from segments.published.drift import ABSENT, TOO_LITTLE_DATA, UNLIKE_ANY
from segments.report import words
from segments.search.clustering import KChoice, KReason, Null
from segments.search.result import Report
from tests.segments.make_report import cluster, nothing_found, report


def test_headline__all_stable__how_many() -> None:
    assert words.headline(report()) == "2 stable groups of users"


def test_headline__one_only_a_pattern__says_how_many_are_stable() -> None:
    mixed = report(clusters=(cluster(0, heat=(1.0, 0.0)), cluster(1, stability=0.74, heat=(-1.0, 0.0))))

    assert words.headline(mixed) == "2 groups of users, 1 of them stable"


def test_headline__nothing_found__points_to_tiers() -> None:
    assert words.headline(nothing_found()) == "No stable groups: use activity tiers"


@pytest.mark.parametrize(
    ("made", "beginning"),
    [
        (report(), "Resampling the users finds the same groups again (agreement 0.95"),
        (nothing_found(), "No number of groups from 2 to 10 is found again"),
        (
            nothing_found(choice=report().choice, null=Null(0.1, (0.1, 0.2), 0.051, 0.0)),
            "The 2 groups are no more separate",
        ),
        (nothing_found(choice=report().choice), "Resampling the users does not find the same 2 groups again"),
    ],
    ids=["found", "no number", "null", "unstable"],
)
def test_why__each_way__its_own_sentence(made: Report, beginning: str) -> None:
    assert words.why(made).startswith(beginning)


@pytest.mark.parametrize("reason", list(KReason))
def test_k_finding__every_reason__has_words(reason: KReason) -> None:
    choice = KChoice(2, reason, None, report().choice.votes)

    assert "2" in words.k_finding(report(choice=choice))


@pytest.mark.parametrize("reason", ["stability", "usefulness", "tie", "given", "fidelity"])
def test_method_finding__every_reason__has_words(reason: str) -> None:
    assert words.method_finding(report(method_reason=reason)).startswith("PCA was clustered")


@pytest.mark.parametrize(
    ("stability", "light"),
    [(0.75, "good"), (0.7499, "warn"), (0.60, "warn"), (0.5999, "bad"), (0.0, "bad"), (None, "good")],
)
def test_standing_of__both_sides_of_each_limit(stability: float | None, light: str) -> None:
    assert words.standing_of(stability)[0] == light


@pytest.mark.parametrize(("p_value", "differs"), [(0.05, True), (0.0501, False)])
def test_retention_finding__beyond_chance_only(p_value: float, differs: bool) -> None:
    from segments.search.leaving import Association

    found = words.retention_finding(report(association=Association(1.0, 1, p_value, 0.1)))

    assert found.startswith("Retention runs from 30.0\u00a0% in g1 to 50.0\u00a0% in g2") is differs


def test_retention_finding__no_retention__says_so() -> None:
    assert words.retention_finding(report(clusters=())) == "Retention by group isn't known"


def test_heat_finding__most_unusual_cell__with_its_side() -> None:
    low = report(clusters=(cluster(0, heat=(0.2, 0.1)), cluster(1, heat=(-1.4, 0.4))))

    assert words.heat_finding(report()) == (
        "What stands out most: g1 does more battle, 1.50 standard deviations above the average"
    )
    assert "g2 does less battle, 1.40 standard deviations below" in words.heat_finding(low)


def test_preview_sentence__counts_and_share() -> None:
    assert words.preview_sentence(1234, 20_000) == "1,234 of 20,000 users (6.2\u00a0%)"
    assert words.preview_sentence(0, 0) == "There is no user yet to try this on."


def test_place_words__states__names_or_reasons() -> None:
    found = [words.place_words(state, {0: "Fighters"}) for state in (0, 3, UNLIKE_ANY, TOO_LITTLE_DATA, ABSENT)]

    assert found == ["Fighters", "g4", "unlike any group", "too little data", "not there"]
