"""The page of a search for groups: its parts in order, each with its table and its picture."""

import json
import re
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.utils import translation

from reporting.document import dump
from reporting.table import Part
from segments.management.commands import segment_units
from segments.models import SegmentationRun
from segments.report import groups, page
from segments.search.result import SEGMENTATION, Report, Tiers
from stats.results import NotComputable, Reason
from tests.segments.make_report import nothing_found, report


def parts(made: Report) -> list[Part]:
    return [part for section in (*page.sections(made), page.activity(made)) for part in section.parts]


def test_sections__who_first__then_who_stays_whether_they_hold_and_maps() -> None:
    assert [section.slug for section in page.sections(report())] == ["groups", "stays", "evidence", "maps"]


def without_retention() -> Report:
    missing = NotComputable(Reason.NO_DATA)
    made = report()
    bare = tuple(
        replace(one, profile=replace(one.profile, retained=missing, left=missing, residual=missing))
        for one in made.clusters
    )
    dots = tuple(replace(row, left=(None, None, None)) for row in made.points)
    tiers = replace(made.tiers, tiers=tuple(replace(tier, retained=missing) for tier in made.tiers.tiers))
    return report(clusters=bare, retention_rate=missing, association=missing, points=dots, tiers=tiers)


def without_tiers() -> Report:
    missing = NotComputable(Reason.TOO_FEW_VALUES)
    return report(tiers=Tiers(missing, (), missing))


def test_read__dumped__the_same_report() -> None:
    assert SEGMENTATION.read(json.loads(json.dumps(dump(report())))) == report()


@pytest.mark.slow
@pytest.mark.parametrize("made", [report(), nothing_found(), without_retention(), without_tiers()])
def test_draw__any_report__the_pictures_of_the_page(made: Report) -> None:
    drawn = page.draw(made)

    assert [row.slug for row in drawn] == [part.slug for part in parts(made) if part.picture]
    assert [row.label for row in drawn] == [part.finding for part in parts(made) if part.picture]
    assert "NaN" not in json.dumps([row.spec for row in drawn])


@pytest.mark.parametrize("made", [report(), without_retention(), without_tiers()])
def test_parts__each_picture__has_a_table(made: Report) -> None:
    assert [part.slug for part in parts(made) if part.picture and part.table is None] == []


def test_parts__no_retention__no_bars_and_a_reason() -> None:
    shown = {part.slug: part for part in parts(without_retention())}

    assert not shown["retention"].picture
    assert not shown["tiers"].picture
    assert "There are no values for this yet. If it is a base rate, enter one." in str(shown["retention"].table)


@pytest.mark.slow
def test_draw__shares__begin_at_zero_with_an_interval() -> None:
    spec = next(row.spec for row in page.draw(report()) if row.slug == "retention")
    layers = spec["layer"]

    assert layers[0]["encoding"]["x"]["scale"]["zero"] is True
    assert layers[1]["encoding"]["x"]["field"] == "low"
    assert layers[1]["encoding"]["x2"]["field"] == "high"


@pytest.mark.slow
def test_draw__maps__never_by_colour_alone() -> None:
    spec = json.dumps(next(row.spec for row in page.draw(report()) if row.slug == "maps"))

    assert spec.count('"shape"') >= 4
    assert '"left later"' in spec


@pytest.mark.slow
def test_draw__korean_title__survives_into_the_svg() -> None:
    from insight_site.exports.pictures import svg

    with translation.override("ko"):
        drawn = next(row for row in page.draw(report()) if row.slug == "stability")

    assert re.search("[가-힣]{2} ", drawn.label)
    assert drawn.label[:12] in svg(drawn.spec, drawn.slug)


def of_spec(value: Any) -> Any:
    """A stored report with the specification of an event that is called `level_up[mode=hard]` as its feature."""
    if isinstance(value, dict):
        return {name: of_spec(one) for name, one in value.items()}
    if isinstance(value, list):
        return [of_spec(one) for one in value]
    return "level_up\\[mode\\=hard\\]" if value == "battle" else value


@pytest.mark.slow
def test_parts__escaped_name__is_read_without_backslashes() -> None:
    stored = of_spec(dump(report()))
    stored["dropped"] = [{"name": "a\\#b", "reason": "near_duplicate", "of": "level_up\\[mode\\=hard\\]"}]
    made = SEGMENTATION.read(stored)
    assert isinstance(made, Report)

    found = [(part.finding, part.table) for part in parts(made)]
    texts = json.dumps(
        [*found, *groups.cards(made), groups.dropped(made), *(row.spec for row in page.draw(made))],
        default=str,
        ensure_ascii=False,
    )

    assert made.features[0] == "level_up\\[mode\\=hard\\]"
    assert "less level_up[mode=hard]" in texts
    assert "a#b" in texts
    assert "level_up\\" not in texts
    assert "a\\" not in texts


def test_terminal__escaped_name__is_read_without_backslashes() -> None:
    run = SegmentationRun(pk=1, payload=of_spec(dump(report())))
    out, document = StringIO(), StringIO()

    segment_units.Command(stdout=out)._show(run, as_json=False)
    segment_units.Command(stdout=document)._show(run, as_json=True)

    assert "+level_up[mode=hard]" in out.getvalue()
    assert "level_up\\" not in out.getvalue()
    assert json.loads(document.getvalue())["features"][0] == "level_up\\[mode\\=hard\\]"
