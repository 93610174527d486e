"""Rules, membership, refresh, drift and churn on a small imported world. The clusters here are placed by a model made
by hand: finding them is tested elsewhere and takes minutes."""

import csv
import io
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.simulation import WORLDS, Simulation, simulate, write_files
from events.warehouse.session import questions
from reporting.document import dump
from reporting.table import csv_lines
from runs.refusals import Refused
from segments.models import ChurnRun, ComparisonRun, Membership, Segment, SegmentModel, SegmentVersion
from segments.published import compare_segments, predict_churn, publish, rule_members
from segments.published import members as published_members
from segments.search import gather, placement, reduction, segmentations
from segments.search.clustering import kmeans
from segments.search.features import learn_features
from segments.search.question import Inputs

UNITS = 1_500
INPUTS = Inputs("signup", 0, 13, "window:21-27")
MANY_FRIENDS = {"all": [{"behaviour": "friend_add", "days": 7, "at_least": 3}]}
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["planted_groups"], UNITS, 5)


@pytest.fixture(scope="module")
def folder(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world")
    write_files(world, path / "files")
    return path


@pytest.fixture
def store(folder: Path, settings: Any) -> None:
    rule_members._rule_count_read.clear()
    settings.EVENTS_URL = str(folder / "store")
    settings.EXPLORE_DIR = str(folder / "prepared")
    if not (folder / "store").exists():
        columns = ["--user", "user_id", "--event", "event", "--time", "time", "--message-id", "message_id"]
        call_command("import_events", str(folder / "files/events.parquet"), *columns, "--json", stdout=StringIO())


def truth(world: Simulation) -> set[str]:
    return {f"u{place + 1:07d}" for place in np.flatnonzero(world.target_count >= 3)}


def publish_clusters(number: int = 1) -> SegmentVersion:
    with questions() as asked:
        table = gather.read_units(asked, INPUTS, None)
    learnt = learn_features(table)
    assert learnt is not None
    preparation = learnt.preparation  # type: ignore[union-attr]
    values = preparation.apply(table.take(preparation.enough(table))).values
    pca = reduction.fit_pca(values)
    fitted = placement.by_projection(preparation, values, pca, kmeans(pca.project(values), 4, seed=1))
    model, _ = SegmentModel.objects.get_or_create(key="style", defaults={"name": "Style", "kind": "cluster"})
    version = SegmentVersion.objects.create(
        refreshed_at="2026-03-01T00:00:00Z", model=model, number=number, inputs=dump(INPUTS), fitted=dump(fitted)
    )
    for place in range(4):
        Segment.objects.create(version=version, key=f"g{place + 1}", number=place, stability=0.9)
    return publish.refresh(version=version)


@pytest.mark.slow
def test_publish_rule__members__are_exactly_those_units_and_csv_lists_them(store: None, world: Simulation) -> None:
    version = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)

    segment = version.segments.get()
    rows = list(csv.reader(io.StringIO("\n".join(",".join(row) for row in publish.member_rows(segment)))))
    assert {row[0] for row in rows[1:]} == truth(world)
    assert segment.size == len(truth(world))
    assert version.members.count() == version.units == UNITS
    assert published_members.segments_of(next(iter(truth(world)))) == [segment]


@pytest.mark.slow
def test_publish_rule__again__is_the_next_version_and_the_old_one_stays(store: None) -> None:
    first = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)

    none = {"all": [{"behaviour": "friend_add", "days": 7, "at_least": 1_000}]}
    second = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=none)

    assert (first.number, second.number) == (1, 2)
    assert first.members.filter(place="member").exists()
    assert not second.members.filter(place="member").exists()


@pytest.mark.slow
def test_publish_rule__that_can_not_be_placed__is_taken_back_and_the_old_one_stays_current(
    store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)

    def refuse(*_args: object) -> None:
        assert model.current == first  # while the new one is being filled
        raise Refused("The store is away.")

    model = SegmentModel.objects.get()
    monkeypatch.setattr(publish, "rule_places", refuse)
    with pytest.raises(Refused, match="away"):
        publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)

    assert model.current == first
    assert list(model.versions.all()) == [first]


@pytest.mark.slow
def test_version_without_members__is_neither_current_nor_found_and_keeps_its_number(store: None) -> None:
    first = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)
    half = SegmentVersion.objects.create(model=first.model, number=2, rule=MANY_FRIENDS)  # its process died
    Segment.objects.create(version=half, key="members")
    assert first.model.current == first

    third = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)

    assert third.number == 3
    assert first.model.current == third
    assert (published_members.find_segment("social.v2"), published_members.find_segment("social.v1")) == (
        None,
        first.segments.get(),
    )


@pytest.mark.slow
def test_refresh__writes_what_changed_in_batches_and_keeps_the_rest(
    store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "BATCH", 100)
    version = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)
    segment, before = version.segments.get(), dict(version.members.values_list("unit", "pk"))
    moved, kept, lost = list(version.members.filter(segment=segment).values_list("unit", flat=True)[:3])
    version.members.filter(unit=moved).update(segment=None, place="outside")
    version.members.filter(unit=kept).update(risk=0.4, reasons=["why"])
    version.members.filter(unit=lost).delete()
    version.members.create(unit="gone", segment=segment)

    with CaptureQueriesContext(connection) as asked:
        found = publish.refresh(version=version)

    written = [row for row in asked if row["sql"].startswith("INSERT INTO") and "segments_membership" in row["sql"]]
    assert len(written) == 1  # two rows; all of them would be fifteen batches
    after = dict(version.members.values_list("unit", "pk"))
    assert {unit: pk for unit, pk in after.items() if unit != lost} == {u: pk for u, pk in before.items() if u != lost}
    assert lost in after
    assert version.members.get(unit=moved).segment == segment
    assert version.members.filter(unit=kept).values_list("risk", "reasons").get() == (0.4, ["why"])
    assert (found.units, found.segments.get().size) == (len(before), segment.size)


@pytest.mark.parametrize(
    "rule", [{"all": [{"behaviour": "nope", "days": 7, "at_least": 1}]}, {"some": []}, {"all": [{"trait": 5}]}]
)
def test_publish_rule__that_can_not_be_asked__leaves_nothing(store: None, rule: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        publish.publish_rule(key="x", name="X", signup_event="signup", rule=rule)

    assert not SegmentModel.objects.exists()


@pytest.mark.slow
def test_refresh__of_clusters__places_everyone_and_keeps_risk(store: None) -> None:
    version = publish_clusters()

    places = dict(Membership.objects.values_list("unit", "place"))
    assert len(places) == UNITS
    assert sum(segment.size for segment in version.segments.all()) == sum(p == "member" for p in places.values())
    unit = next(name for name, place in places.items() if place == "member")
    Membership.objects.filter(unit=unit).update(risk=0.25, reasons=["chat"])
    again = publish.refresh(version=version)
    row = Membership.objects.get(unit=unit)
    assert (row.risk, row.reasons) == (0.25, ["chat"])
    assert again.drift is not None
    assert again.drift["migration"]["stayed"] == 1.0
    assert again.drift["shares"]["code"] == "stable"


@pytest.mark.slow
def test_refresh__unit_alone_and_in_bulk__gets_the_same_segment(store: None) -> None:
    from reporting.document import load
    from segments.search.placement import FittedModel

    version = publish_clusters()
    fitted = load(FittedModel, version.fitted)
    with questions() as asked:
        table = gather.read_units(asked, INPUTS, fitted.preparation.behaviours)

    bulk = fitted.place(table)

    for row in range(0, len(table), 97):
        alone = fitted.place(table.take(np.array([row])))
        assert (alone.labels[0], alone.distances[0]) == (bulk.labels[row], bulk.distances[row])


@pytest.mark.slow
def test_refresh_due__pinned_and_current__but_not_other_old_versions(store: None) -> None:
    none = {"all": [{"behaviour": "friend_add", "days": 7, "at_least": 1_000}]}
    versions = [
        publish.publish_rule(key="x", name="X", signup_event="signup", rule=none, refresh_days=1) for _ in range(3)
    ]
    old = timezone.now() - timedelta(days=2)
    SegmentVersion.objects.update(refreshed_at=old)
    SegmentVersion.objects.filter(pk=versions[0].pk).update(pinned=True)

    assert publish.refresh_due() == 2
    assert publish.refresh_due() == 0
    versions[1].refresh_from_db()
    assert versions[1].refreshed_at == old


def test_rename__too_unstable__is_refused_and_a_good_name_is_kept_with_history(store: None) -> None:
    model = SegmentModel.objects.create(key="m", name="m", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1)
    good = Segment.objects.create(version=version, key="g1", stability=0.6)
    bad = Segment.objects.create(version=version, key="g2", stability=0.599)

    publish.rename(segment=good, name=" Crafters ")
    with pytest.raises(Refused, match="too unstable"):
        publish.rename(segment=bad, name="X")
    with pytest.raises(Refused, match="empty"):
        publish.rename(segment=good, name="  ")

    good.refresh_from_db()
    assert good.name == "Crafters"
    assert [row.name for row in good.history.order_by("history_date")] == ["", "Crafters"]


def test_member_rows__ids_that_look_like_formulas__are_made_harmless() -> None:
    model = SegmentModel.objects.create(key="m", name="m", kind="rule")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1)
    segment = Segment.objects.create(version=version, key="members", name="=cmd()")
    Membership.objects.create(version=version, unit="=1+1", segment=segment)

    lines = list(csv_lines(publish.member_rows(segment)))

    assert lines[2].startswith("'=1+1,'=cmd()")


@pytest.mark.slow
def test_churn__of_a_cluster__scores_its_units_or_says_why_not(store: None) -> None:
    version = publish_clusters()
    segment = version.segments.order_by("-size")[0]
    run = predict_churn.start_churn(segment=segment, retention="window:21-27")

    assert predict_churn.compute_churn(run.pk)

    run.refresh_from_db()
    assert run.payload is not None
    scored = segment.members.exclude(risk=None)
    if "reason" in run.payload["quality"]:
        assert not scored.exists()
    else:
        assert scored.count() == segment.size
        assert all(0 <= row.risk <= 1 for row in scored if row.risk is not None)
        assert run.payload["quality"]["skill"]["gain_low"] > 0


@pytest.mark.parametrize("retention", ["window:10-20", "survival:7", "unbounded:20", "weekly"])
def test_start_churn__retention_that_can_not_judge__is_refused(store: None, retention: str) -> None:
    model = SegmentModel.objects.create(key="m", name="m", kind="cluster")
    version = SegmentVersion.objects.create(
        refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, inputs=dump(INPUTS)
    )
    segment = Segment.objects.create(version=version, key="g1")

    with pytest.raises(Refused):
        predict_churn.start_churn(segment=segment, retention=retention)
    assert not ChurnRun.objects.exists()


@pytest.mark.slow
def test_comparison__of_two_clusters__finds_what_the_world_planted(store: None) -> None:
    version = publish_clusters()
    first, second = version.segments.order_by("-size")[:2]
    run = compare_segments.start_comparison(first=first, second=second)

    assert compare_segments.compute_comparison(run.pk)

    run.refresh_from_db()
    assert run.payload is not None
    leading = run.payload["drivers"]["contrasts"][0]
    assert leading["name"] in {"craft", "battle", "shop", "friend_add", "chat"}
    assert leading["delta"]["adjusted_p_value"] < 0.001
    assert run.payload["drivers"]["first_units"] == first.members.count()


def test_comparison__of_one_segment_with_itself__is_refused(store: None) -> None:
    model = SegmentModel.objects.create(key="m", name="m", kind="rule")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1)
    segment = Segment.objects.create(version=version, key="members")

    with pytest.raises(Refused, match="two different"):
        compare_segments.start_comparison(first=segment, second=segment)
    assert not ComparisonRun.objects.exists()


@pytest.mark.slow
def test_comparison__of_two_rules_that_overlap__leaves_out_who_is_in_both(store: None, world: Simulation) -> None:
    some = {"all": [{"behaviour": "friend_add", "days": 7, "at_least": 1}]}
    few = {"none": [{"behaviour": "friend_add", "days": 7, "at_least": 3}]}
    first, second = (
        publish.publish_rule(key=key, name=key, signup_event="signup", rule=rule).segments.get()
        for key, rule in (("some", some), ("few", few))
    )
    both = int(((world.target_count >= 1) & (world.target_count < 3)).sum())
    run = compare_segments.start_comparison(first=first, second=second)

    assert compare_segments.compute_comparison(run.pk)

    run.refresh_from_db()
    assert run.payload is not None
    drivers = run.payload["drivers"]
    assert (drivers["first_units"], drivers["second_units"]) == (first.size - both, second.size - both)
    assert compare_segments.comparisons_of(second, first) == compare_segments.past_comparisons() == [run]


@pytest.mark.slow
def test_refresh__retention_of_a_rule__is_that_of_its_members(store: None, world: Simulation) -> None:
    version = publish.publish_rule(key="social", name="Social", signup_event="signup", rule=MANY_FRIENDS)

    members = world.target_count >= 3
    assert version.segments.get().stayed == {
        "count": int(world.retained[members].sum()),
        "n": int(members.sum()),
        "retention": "window:21-27",
    }


@pytest.mark.slow
def test_foretell__a_search__says_what_reading_it_takes(store: None) -> None:
    found = segmentations.foretell(INPUTS)

    with questions() as asked:
        play = gather.read_play(asked, INPUTS, seed=1)
    enough = int((play.whole.active_days >= 3).sum())
    assert (found.signed_up, found.placed, found.quiet) == (UNITS, enough, len(play.whole) - enough)
    assert found.behaviours == len(play.whole.behaviours)
    assert not found.refuses


@pytest.mark.slow
def test_comparison__on_its_pages__starts_and_shows_the_finding(store: None, admin_client: Client) -> None:
    version = publish_clusters()
    first, second = version.segments.order_by("-size")[:2]

    answer = admin_client.post("/segments/compare/start/", {"first": first.pk, "second": second.pk})
    run = ComparisonRun.objects.get()
    assert answer["Location"] == f"/segments/comparisons/{run.pk}/"
    assert "queued" in admin_client.get(answer["Location"]).content.decode()
    compare_segments.compute_comparison(run.pk)
    text = admin_client.get(answer["Location"]).content.decode()

    assert "On an active day" in text
    assert "Cliff" in text
    again = admin_client.post("/segments/compare/start/", {"first": first.pk, "second": first.pk}, follow=True)
    assert "Choose two different segments." in again.content.decode()
