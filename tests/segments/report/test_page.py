"""The parts of the page, their tables and their pictures, from one report."""

import json
import re
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.utils import translation

from reporting.document import dump
from reporting.table import Part
from runs.payloads import Unreadable
from segments.churn import payload_versions as churn_versions
from segments.churn.model import Bin, Coefficient, Quality
from segments.churn.result import ChurnResult
from segments.management.commands import segment_units
from segments.models import SegmentationRun
from segments.published import payload_versions as published_versions
from segments.published.run_results import DriftResult
from segments.report import charts, model_page, page, tables
from segments.search import payload_versions
from segments.search.learning import Skill
from segments.search.ranks import Auc
from segments.search.result import Report, Tiers
from stats.results import NotComputable, Reason
from tests.segments.make_report import cluster, nothing_found, report


def parts(made: Report) -> list[Part]:
    return [*page.evidence(made), *page.description(made), *page.activity(made)]


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
    assert payload_versions.read(json.loads(json.dumps(dump(report())))) == report()


@pytest.mark.parametrize("made", [report(), nothing_found(), without_retention(), without_tiers()])
def test_draw__any_report__the_pictures_of_the_page(made: Report) -> None:
    drawn = charts.draw(made)

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
    assert "There are no values to compute this from." in str(shown["retention"].table)


def test_draw__shares__begin_at_zero_with_an_interval() -> None:
    spec = next(row.spec for row in charts.draw(report()) if row.slug == "retention")
    layers = spec["layer"]

    assert layers[0]["encoding"]["x"]["scale"]["zero"] is True
    assert layers[1]["encoding"]["x"]["field"] == "low"
    assert layers[1]["encoding"]["x2"]["field"] == "high"


def test_draw__maps__never_by_colour_alone() -> None:
    spec = json.dumps(next(row.spec for row in charts.draw(report()) if row.slug == "maps"))

    assert spec.count('"shape"') >= 4
    assert '"left later"' in spec


def test_draw__korean_title__survives_into_the_svg() -> None:
    from insight_site.takeaways.rendering import svg

    with translation.override("ko"):
        drawn = next(row for row in charts.draw(report()) if row.slug == "stability")

    assert re.search("[가-힣]{2} ", drawn.label)
    assert drawn.label[:12] in svg(drawn.spec, drawn.slug)


def test_flow__rows__add_up() -> None:
    counts = [int(count.replace(",", "")) for _, count in tables.flow(report()).rows]

    assert counts[0] == counts[1] + counts[2]
    assert counts[2] == counts[3] + counts[4]


def test_scorecard__each_measure__who_is_better() -> None:
    better = {row[0]: row[3] for row in tables.scorecard(report()).rows}

    assert better["trustworthiness"] == "UMAP"
    assert better["neighbours kept"] == "PCA"
    assert better["usefulness"] == "alike"
    assert better["seconds"] == "PCA"  # fewer
    assert better["stability"] == ""  # measured for one of them


def test_numbers_of_groups__criteria__their_disagreement_shows() -> None:
    table = tables.numbers_of_groups(report())

    assert "Davies-Bouldin 3" in table.note
    assert "silhouette 2" in table.note
    assert [row[0] for row in table.rows] == ["2 ←", "3", "4"]
    assert [row[3] for row in table.rows] == ["yes", "yes", "no"]


def test_standing_out__features__largest_first() -> None:
    table = tables.standing_out(cluster(0, heat=(0.0, 0.0)))

    assert table is not None
    assert [row[0] for row in table.rows] == ["battle", "shop"]


def test_standing_out__nothing_tested__the_reason_once() -> None:
    made = cluster(0, heat=(0.0, 0.0))
    missing = NotComputable(Reason.NO_HALVES)
    features = made.profile.features
    assert not isinstance(features, NotComputable)
    untested = tuple(replace(row, adjusted_p_value=missing) for row in features)

    table = tables.standing_out(replace(made, profile=replace(made.profile, features=untested)))

    assert table is not None
    assert [row[-1] for row in table.rows] == ["not tested", "not tested"]
    assert table.note.startswith("The days that formed the groups are all there are")


def test_dropped__reasons__in_words() -> None:
    table = tables.dropped(report())

    assert table is not None
    assert "battle" in table.rows[1][1]
    assert tables.dropped(report(dropped=())) is None


# ── Published models ──────────────────────────────────────────────────────────
INDEX: dict[str, Any] = {"value": 0.3, "by_chance": 0.001, "code": "refit"}
DRIFT: dict[str, Any] = {
    "shares": {"value": 0.01, "by_chance": 0.001, "code": "stable"},
    "features": {"battle": INDEX, "shop": {"reason": "too_few_for_drift", "details": {"n": 2}}},
    "unlike_share": 0.0,
    "migration": {
        "states": [0, 1, -3], "counts": [[90, 5, 5], [0, 50, 0], [0, 0, 0]], "stayed": 0.96, "adjusted_rand": 0.9,
        "from_version": 1, "names": {"0": "Old fighters"},
    },
}  # fmt: skip


def test_drift__stored__lights_and_reasons() -> None:
    view = model_page.drift(DRIFT, {0: "Fighters"})

    assert view is not None
    assert [light.colour for light in view.lights] == ["good", "bad", ""]
    assert view.lights[2].words == "Too few units to tell drift from chance."
    assert "0.0\u00a0% of the placed users" in view.note


@pytest.mark.parametrize("document", [None, {}])
def test_drift__never_measured__none(document: dict[str, Any] | None) -> None:
    assert model_page.drift(document, {}) is None


def test_strongest__any_refit__decides() -> None:
    found = published_versions.DRIFT.read(DRIFT)

    assert isinstance(found, DriftResult)
    assert found.code == "refit"
    assert model_page.strongest(found.code) == ("bad", "drifted: look for groups anew")


@pytest.mark.parametrize(("code", "said"), [("", "not measured yet"), ("too_few_for_drift", "Too few units to tell")])
def test_strongest__no_index__says_why(code: str, said: str) -> None:
    colour, words = model_page.strongest(code)

    assert (colour, words[: len(said)]) == ("", said)


def test_drift__unreadable__its_sentence_and_no_lights() -> None:
    view = model_page.drift({"schema": 99}, {})

    assert view == model_page.DriftView((), Unreadable(newer=True).sentence(), None)


def test_migration__counts__rows_with_users_shaded_by_their_share() -> None:
    found = published_versions.DRIFT.read(DRIFT)
    assert isinstance(found, DriftResult)
    assert found.migration is not None
    view = model_page.migration(found.migration, {0: "Fighters", 1: "Builders"})

    assert view.columns == ("Fighters", "Builders", "not there")
    assert [row.label for row in view.rows] == ["Old fighters", "g2"]
    assert [cell.shade for cell in view.rows[0].cells] == [8, 0, 0]
    assert view.rows[1].cells[1] == model_page.Cell("50", 9)
    assert view.finding.startswith("96.0\u00a0%")


def quality(low: float = 0.9) -> Quality:
    skill = Skill(1_000, 400, Auc(0.75, 0.01, 0.73, 0.77), 0.5, 0.6, 0.1, 0.08, 0.12)
    rows = (Bin(500, 0.2, 0.21, 0.18, 0.24), Bin(500, 0.6, 0.59, 0.55, 0.63))
    return Quality(skill, 0.2, 0.24, Coefficient(1.0, low, 1.1), Coefficient(0.0, -0.1, 0.1), rows)


def churned(found: Quality | NotComputable) -> ChurnResult:
    return ChurnResult("window:21-27", 900, 800, found)


@pytest.mark.parametrize(("low", "beginning"), [(1.0, "Scores can be read"), (1.0001, "Scores rank users")])
def test_churn__slope_covers_one_or_not(low: float, beginning: str) -> None:
    view = model_page.churn(churned(quality(low)))

    assert view.finding.startswith(beginning)
    assert view.calibration is not None
    assert len(view.calibration.rows) == 2


def test_churn__no_skill__the_reason_and_no_picture() -> None:
    result = churned(NotComputable(Reason.NO_SKILL))

    view = model_page.churn(result)

    assert view.quality is None
    assert "does not beat the base rate" in view.finding
    assert charts.draw_quality(result.quality) == ()
    assert churn_versions.read_quality(churn_versions.CHURN.store(result)) == result.quality


def test_draw_quality__model__calibration_with_intervals() -> None:
    drawn = charts.draw_quality(quality())

    assert [row.slug for row in drawn] == ["calibration"]


def of_spec(value: Any) -> Any:
    """A stored report with the specification of an event that is called `level_up[mode=hard]` as its feature."""
    if isinstance(value, dict):
        return {name: of_spec(one) for name, one in value.items()}
    if isinstance(value, list):
        return [of_spec(one) for one in value]
    return "level_up\\[mode\\=hard\\]" if value == "battle" else value


def test_parts__escaped_name__is_read_without_backslashes() -> None:
    stored = of_spec(dump(report()))
    stored["dropped"] = [{"name": "a\\#b", "reason": "near_duplicate", "of": "level_up\\[mode\\=hard\\]"}]
    made = payload_versions.read(stored)
    assert isinstance(made, Report)

    found = [(part.finding, part.table) for part in parts(made)]
    texts = json.dumps(
        [
            *found, *page.groups(made), tables.dropped(made), page.pictures(made),
            *(row.spec for row in charts.draw(made)),
        ],
        default=str, ensure_ascii=False,
    )  # fmt: skip

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
