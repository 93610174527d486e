"""How far a version has drifted, and where its users went."""

from typing import Any

import pytest

from runs.payloads import Unreadable
from segments.published import drift
from segments.published.drift import ABSENT, TOO_LITTLE_DATA, UNLIKE_ANY, DriftResult
from segments.report import drift_page

INDEX: dict[str, Any] = {"value": 0.3, "by_chance": 0.001, "code": "refit"}


DRIFT: dict[str, Any] = {
    "shares": {"value": 0.01, "by_chance": 0.001, "code": "stable"},
    "features": {"battle": INDEX, "shop": {"reason": "too_few_for_drift", "details": {"n": 2}}},
    "unlike_share": 0.0,
    "migration": {
        "states": [0, 1, -3],
        "counts": [[90, 5, 5], [0, 50, 0], [0, 0, 0]],
        "stayed": 0.96,
        "adjusted_rand": 0.9,
        "from_version": 1,
        "names": {"0": "Old fighters"},
    },
}


def test_drift__stored__lights_and_reasons() -> None:
    view = drift_page.drift(DRIFT, {0: "Fighters"})

    assert view is not None
    assert [light.colour for light in view.lights] == ["good", "bad", ""]
    assert view.lights[2].words == "Too few users to separate drift from chance."
    assert "0.0% of the placed users" in view.note


@pytest.mark.parametrize("document", [None, {}])
def test_drift__never_measured__none(document: dict[str, Any] | None) -> None:
    assert drift_page.drift(document, {}) is None


def test_drift__unreadable__its_sentence_and_no_lights() -> None:
    view = drift_page.drift({"schema": 99}, {})

    assert view == drift_page.DriftView((), Unreadable(newer=True).sentence(), None)


def test_strongest__any_refit__decides() -> None:
    found = drift.DRIFT.read(DRIFT)

    assert isinstance(found, DriftResult)
    assert found.code == "refit"
    assert drift_page.strongest(found.code) == ("bad", "drifted: search for groups anew")


@pytest.mark.parametrize(
    ("code", "said"), [("", "not measured yet"), ("too_few_for_drift", "Too few users to separate")]
)
def test_strongest__no_index__says_why(code: str, said: str) -> None:
    colour, words = drift_page.strongest(code)

    assert (colour, words[: len(said)]) == ("", said)


def test_migration__counts__rows_with_users_shaded_by_their_share() -> None:
    found = drift.DRIFT.read(DRIFT)
    assert isinstance(found, DriftResult)
    assert found.migration is not None
    view = drift_page.migration(found.migration, {0: "Fighters", 1: "Builders"}, {0: "Old fighters", 1: "g2"})

    assert view.columns == ("Fighters", "Builders", "not yet a user")
    assert [row.label for row in view.rows] == ["Old fighters", "g2"]
    assert [cell.shade for cell in view.rows[0].cells] == [8, 0, 0]
    assert view.rows[1].cells[1] == drift_page.Cell("50", 9)
    assert view.finding.startswith("96.0%")


def test_place_words__states__names_or_reasons() -> None:
    found = [drift_page.place_words(state, {0: "Fighters"}) for state in (0, 3, UNLIKE_ANY, TOO_LITTLE_DATA, ABSENT)]

    assert found == ["Fighters", "g4", "unlike any group", "too little data", "not yet a user"]
