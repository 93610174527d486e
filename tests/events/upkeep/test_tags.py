"""Tags: how they are written, put on things of every kind, renamed, merged and taken away."""

import unicodedata

import pytest
from django.apps import apps
from django.db.models import Model

from events.models import EventLabel, Tag
from events.upkeep import tags_and_owners
from events.upkeep.text_search import search
from events.upkeep.thing_kinds import ThingKind, kind_of, thing_kinds
from runs.refusals import Refused
from tests.events.upkeep.make import moment, saved_view, segment, study
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db


def names(thing: Model) -> list[str]:
    return [tag.name for tag in thing.tags.all()]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Onboarding", "onboarding"),
        ("  q4 2026 ", "q4-2026"),
        ("신규 유저", "신규-유저"),
        (unicodedata.normalize("NFD", "초대"), "초대"),
        ("a" * 40, "a" * 40),
        ("growth/core.v2+c&d_e", "growth/core.v2+c&d_e"),
    ],
)
def test_tag_name__of_what_people_type__is_kept_in_one_way(typed: str, kept: str) -> None:
    assert tags_and_owners.tag_name(typed) == kept


@pytest.mark.parametrize("typed", ["", "   ", "a" * 41, "a,b", "<b>", "who?", "a\x00b", "“x”"])
def test_tag_name__of_what_is_no_short_word__is_refused(typed: str) -> None:
    with pytest.raises(Refused):
        tags_and_owners.tag_name(typed)


def test_set_tags__on_every_kind__replaces_what_was_there() -> None:
    things = [draft("exp"), moment(), study(), saved_view(), segment()]
    assert [kind_of(thing).slug for thing in things] == [kind.slug for kind in thing_kinds() if not kind.tag_text]

    for thing in things:
        tags_and_owners.set_tags(thing=thing, names=["b", "A", "a"])
        tags_and_owners.set_tags(thing=thing, names=["a", "c"])

    assert [names(thing) for thing in things] == [["a", "c"]] * 5
    assert {tag.name: number for tag, number in tags_and_owners.all_tags()} == {"a": 5, "b": 0, "c": 5}
    assert tags_and_owners.tags_in_use(kind_of(things[0])) == ["a", "c"]


def test_set_tags__more_than_ten__is_refused_and_nothing_changes() -> None:
    thing = study()
    tags_and_owners.set_tags(thing=thing, names=[f"t{n}" for n in range(10)])

    with pytest.raises(Refused):
        tags_and_owners.set_tags(thing=thing, names=[f"t{n}" for n in range(11)])

    assert len(names(thing)) == 10


def test_rename_tag__to_a_free_name__counts_everywhere() -> None:
    one, other = study("A"), moment()
    for thing in (one, other):
        tags_and_owners.set_tags(thing=thing, names=["onbording"])

    tags_and_owners.rename_tag(tag=Tag.objects.get(name="onbording"), name="Onboarding")

    assert names(one) == names(other) == ["onboarding"]


def test_rename_tag__to_the_name_of_another__merges_both() -> None:
    both, old, new = study("A"), study("B"), study("C")
    for thing, given in ((both, ["old", "new"]), (old, ["old", "x"]), (new, ["new"])):
        tags_and_owners.set_tags(thing=thing, names=given)

    left = tags_and_owners.rename_tag(tag=Tag.objects.get(name="old"), name="new")

    assert [names(thing) for thing in (both, old, new)] == [["new"], ["new", "x"], ["new"]]
    assert left.name == "new"
    assert list(Tag.objects.values_list("name", flat=True)) == ["new", "x"]


def test_rename_tag__to_itself__changes_nothing() -> None:
    tags_and_owners.set_tags(thing=study(), names=["a"])
    assert tags_and_owners.rename_tag(tag=Tag.objects.get(), name="A").name == "a"
    with pytest.raises(Refused):
        tags_and_owners.merge_tags(tag=Tag.objects.get(), into=Tag.objects.get())


def test_delete_tag__takes_it_off_and_leaves_the_things() -> None:
    thing = draft("exp")
    tags_and_owners.set_tags(thing=thing, names=["a", "b"])

    tags_and_owners.delete_tag(tag=Tag.objects.get(name="a"))

    assert names(thing) == ["b"]


def test_kinds__that_keep_tags_and_owner_as_text__are_searched_renamed_and_counted_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the catalogue of metrics does. A model with two columns of text stands for it."""
    kind = ThingKind(
        slug="label",
        model="events.EventLabel",
        name="label",
        plural="labels",
        page=("events:overview",),
        list_page="events:overview",
        state="__str__",
        made="updated_at",
        text_in=("event",),
        archived={"hidden": True},
        tag_text="description_en",
        owner_text="description_ko",
    )
    monkeypatch.setattr(apps.get_app_config("events"), "thing_kinds", (kind,), raising=False)
    row = EventLabel.objects.create(event="signup", description_en=",new,old,old-one,", description_ko="ann")
    tags_and_owners.set_tags(thing=study(), names=["old", "new"])

    assert {tag.name: number for tag, number in tags_and_owners.all_tags()} == {"old": 2, "new": 2}
    assert [(hit.title, hit.owner) for hit in search([kind], ["old-one"], limit=9).hits] == [("signup", "ann")]
    tags_and_owners.rename_tag(tag=Tag.objects.get(name="old"), name="older")
    row.refresh_from_db()
    assert row.description_en == ",new,old-one,older,"
    tags_and_owners.rename_tag(tag=Tag.objects.get(name="older"), name="new")
    tags_and_owners.delete_tag(tag=Tag.objects.get(name="new"))
    row.refresh_from_db()
    assert row.description_en == ",old-one,"
