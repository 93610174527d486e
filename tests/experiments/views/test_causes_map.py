"""The page of the map of causes: what it says, in which order, its files, and where there is nothing to show."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from aha.evidence.store_findings import keep_findings
from experiments.analyse.across.map_changes import ReadPlace
from experiments.analyse.across.map_readings import note_readings
from experiments.models import MapReading
from experiments.report.causes_map_page import kept_words
from stats.instrument.causes import State
from tests.aha.evidence.past.test_joint_findings import OUTCOME, nudge
from tests.experiments.analyse.test_site_map import keep_lab, keep_study

pytestmark = pytest.mark.django_db
PAGE, FILE = "/experiments/-/map/", "/experiments/-/map/json/"


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(User.objects.create_user("ann"))
    return client


def text_of(reader: Client, address: str = PAGE) -> str:
    answer = reader.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_page__of_six_experiments__names_the_cause_first_with_its_set(reader: Client) -> None:
    keep_lab((0.0, 0.0, 0.2))

    text = text_of(reader)

    assert "Known to change retention on days 21–27: shop (1 of 3 behaviours)." in text
    assert "The nudges agree (p " in text
    picture = text[text.index('id="picture"') : text.index("</svg>")]
    assert picture.index("shop") < picture.index("chat")
    assert (picture.count(">causes<"), picture.count(">not known yet<")) == (1, 2)
    shown = json.loads(reader.get(FILE).content)
    assert [row["behaviour"] for row in shown["behaviours"] if row["state"] == "causes"] == ["shop"]


def test_page__of_strong_nudges__marks_the_shorter_set_and_says_what_it_needs(reader: Client) -> None:
    keep_lab((0.0, 0.0, 0.2))
    strong = text_of(reader)

    assert "<th>shorter set, for strong nudges</th>" in strong.replace(' scope="col"', "")
    assert strong.count("(each conditional F is at least 10). No state rests on it.") == 2
    # 3 bars and 3 thick parts in the picture, whichever colour.
    picture = strong[strong.index('id="picture"') : strong.index("</svg>")]
    assert picture.count('stroke-width="7"') == 3


def test_page__of_weak_nudges__has_no_shorter_set(reader: Client) -> None:
    keep_lab((0.0, 0.0, 0.2), own=0.025, spill=0.0)

    text = text_of(reader)

    assert "shorter set" not in text
    assert 'stroke-width="7"' not in text


def test_page__after_a_change__says_what_was_before_and_after_and_which_experiment_brought_it(
    reader: Client, tmp_path: Path, settings: Settings
) -> None:
    settings.VAR_DIR = tmp_path
    keep_lab((0.0, 0.0, 0.2))
    assert 'id="changes"' not in text_of(reader)
    note_readings()
    first = text_of(reader)
    keep_findings([nudge("party", ("gift", 0.2), itt=0.06)])
    note_readings()
    text = text_of(reader)

    assert "Nothing has changed since." in first
    changes = text[text.index('id="changes"') :]
    last = MapReading.objects.latest("pk").pk
    assert "<td>gift</td> <td>never nudged</td> <td>causes, +30.0 points (" in changes
    assert "<td>Party</td>" in changes
    assert f'href="{FILE}?reading={last}"' in changes


def test_page__of_several_outcomes__shows_the_one_that_is_chosen(reader: Client) -> None:
    keep_lab()
    later = nudge("other", ("gift", 0.2), itt=0.1)
    moments = replace(later.outcomes[0], outcome="on_day:7")
    keep_findings([replace(later, definition=replace(later.definition, outcome="on_day:7"), outcomes=(moments,))])

    text = text_of(reader, f"{PAGE}?outcome=on_day:7")

    assert '<option value="on_day:7" selected>' in text
    assert f'<option value="{OUTCOME}">' in text
    assert "gift" in text[text.index('id="table-1"') :]
    assert "friend_add" not in text[text.index('id="table-1"') :]


def test_page__of_a_study_alone__shows_promises_and_that_nobody_nudged(reader: Client) -> None:
    keep_study()

    text = text_of(reader)

    assert re.search(r"No experiment has nudged any of \d behaviours yet\.", text)
    assert "never nudged" in text[text.index('id="picture"') : text.index("</svg>")]


def test_page__without_experiments_and_studies__says_so(reader: Client) -> None:
    text = text_of(reader)

    assert "No finished experiment and no finished study says anything about a behaviour yet." in text
    assert reader.get(FILE).status_code == 404
    assert reader.get("/pictures/map.svg").status_code == 404


@pytest.mark.parametrize("outcome", ["nothing", "on_day:x", "%00"])
def test_page__of_an_outcome_that_cannot_be_read__says_so_or_takes_the_usual(reader: Client, outcome: str) -> None:
    keep_lab()

    assert reader.get(f"{PAGE}?outcome={outcome}").status_code == 200


def test_picture__as_a_file__is_an_image_of_the_kind_that_was_asked_for(reader: Client) -> None:
    keep_lab()

    svg, png = (reader.get(f"/pictures/map.{kind}") for kind in ("svg", "png"))

    assert (svg["Content-Type"], svg.content[:4]) == ("image/svg+xml", b"<svg")
    assert (png["Content-Type"], png.content[:4]) == ("image/png", b"\x89PNG")
    assert reader.get("/pictures/map.gif").status_code == 404


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (None, "never nudged"),
        (ReadPlace("chat", State.CONTRADICTED), "the nudges contradict each other"),
        (ReadPlace("chat", State.CAUSES, 0.2, "interval", 0.1, 0.3), "causes, +20.0 points (10.0 to 30.0 points)"),
        (ReadPlace("chat", State.INCONCLUSIVE, 0.2, "empty"), "+20.0 points (empty: no one effect fits all of them)"),
        (ReadPlace("chat", State.INCONCLUSIVE, 0.2, "rays", 0.1, 0.3), "+20.0 points (every value is possible)"),
    ],
)
def test_kept_words__of_each_kind_of_set__are_those_of_the_map(place: ReadPlace | None, words: str) -> None:
    assert kept_words(place, share=True).replace("\xa0", " ").endswith(words)
