"""Saved views: a question under a name, which everybody opens and only its owner renames or deletes."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from aha.explore import answering, saved
from aha.explore.question import Question
from aha.models import SavedView
from events.calendar import entries
from events.upkeep.tags_and_owners import set_owner
from insight_site.boards import board_services as boards
from runs.refusals import Refused

QUESTION = Question("funnel", "signup", steps=("signup", "play[mode=한 글]"), days=3, dates="30")


def person(name: str, role: str = "Analyst") -> User:
    user = User.objects.create_user(name)
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.fixture
def ann(db: None) -> User:
    return person("ann")


@pytest.fixture
def view(ann: User) -> SavedView:
    return saved.save_view(name="  Two \n steps ", question=QUESTION, tags="B, a", by=ann)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_save__keeps_the_question_and_nothing_else(view: SavedView, ann: User) -> None:
    assert (view.name, view.view, view.owner) == ("Two steps", "funnel", ann)
    assert view.question["steps"] == ["signup", "play[mode=한 글]"]
    assert view.question["dates"] == ["30"]
    assert [tag.name for tag in view.tags.all()] == ["a", "b"]
    assert saved.address_of(view).startswith("/explore/funnel/?")
    assert saved.address_of(view).endswith("&steps=signup&steps=play%5Bmode%3D%ED%95%9C+%EA%B8%80%5D")


@pytest.mark.parametrize(("name", "tags"), [("", ""), (" \x00 ", ""), ("x", "<b>")])
def test_save__without_a_name_or_with_what_is_no_tag__keeps_nothing(ann: User, name: str, tags: str) -> None:
    with pytest.raises(Refused):
        saved.save_view(name=name, question=QUESTION, tags=tags, by=ann)

    assert not SavedView.objects.exists()


def test_others__open_it_and_neither_rename_nor_delete_it(view: SavedView) -> None:
    bob = signed_in(person("bob", "PM"))

    opened = bob.get(reverse("explore:open", args=[view.pk]))
    bob.post(reverse("explore:rename", args=[view.pk]), {"name": "Mine"})
    bob.post(reverse("explore:delete", args=[view.pk]))

    assert opened["Location"] == saved.address_of(view)
    view.refresh_from_db()
    assert view.name == "Two steps"
    assert "Delete" not in bob.get("/explore/saved/").content.decode()


def test_owner__renames_and_deletes_it(view: SavedView, ann: User) -> None:
    client = signed_in(ann)

    client.post(reverse("explore:rename", args=[view.pk]), {"name": "New"})
    assert SavedView.objects.get().name == "New"
    client.post(reverse("explore:delete", args=[view.pk]))

    assert not SavedView.objects.exists()


def test_owner__who_handed_it_over__owns_it_no_longer(view: SavedView, ann: User) -> None:
    bob = person("bob")
    set_owner(thing=view, owner=bob)

    assert [saved.owns(view, user) for user in (ann, bob)] == [False, True]
    assert saved.owns(view, User(is_superuser=True, pk=99))


def test_list__by_name_tag_and_owner__finds_it(view: SavedView, ann: User) -> None:
    saved.save_view(name="Other", question=QUESTION, by=person("bob"))
    client = signed_in(ann)

    def names(query: str) -> list[str]:
        return [row.name for row in client.get(f"/explore/saved/?{query}").context["listing"].page.object_list]

    assert names("") == ["Other", "Two steps"]
    assert names("q=two") == names("tag=b") == names("owner=me") == ["Two steps"]
    assert names("q=nothing") == names("archived=1") == []
    assert names("tag=nothing") == ["Other", "Two steps"]


@pytest.mark.parametrize(
    ("view", "query", "status"),
    [("funnel", "steps=signup", 302), ("nothing", "", 404), ("retention", "retention=soon", 302)],
)
def test_save__of_what_is_no_question__is_refused(ann: User, places: Any, view: str, query: str, status: int) -> None:
    answer = signed_in(ann).post("/explore/saved/new/", {"view": view, "query": query, "name": "x"})

    assert answer.status_code == status
    assert not SavedView.objects.exists()


def test_page__without_the_role__offers_no_saving_and_takes_none(db: None) -> None:
    client = signed_in(person("guest", "nobody"))

    assert client.post("/explore/saved/new/", {"view": "funnel", "name": "x"}).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fingers")
def test_page__saves_its_question_and_the_card_has_its_answer(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering.ask, "__kwdefaults__", {"patience": 60.0})
    client = signed_in(User.objects.create_superuser("root"))
    query = "signup_event=signup&retention=on_day%3A7&day_mode=rolling"

    page = client.get(f"/explore/retention/?{query}").content.decode()
    client.post("/explore/saved/new/", {"view": "retention", "query": query, "name": "D7"})
    row = SavedView.objects.get()
    shown = saved.glance(row)

    assert f'name="query" value="{query.replace("&", "&amp;")}"' in page
    path, _, kept = saved.address_of(row).partition("?")
    assert path == "/explore/retention/"
    assert sorted(kept.split("&")) == sorted(query.split("&"))
    assert shown.finding.replace("\u00a0", " ").startswith("50.0% of 4 users stayed")
    assert shown.picture.startswith("<svg")
    assert shown.counted_at is not None


@pytest.mark.usefixtures("fingers")
def test_glance__of_a_question_that_no_longer_holds__says_why(ann: User) -> None:
    gone = saved.save_view(name="gone", question=Question("activity", "signup", behaviour="zzz"), by=ann)
    locked = saved.save_view(
        name="locked", question=Question("retention", "signup", retention="on_day:7", group="experiment:x"), by=ann
    )

    assert "zzz" in saved.glance(gone).why
    assert "experiment:x" in saved.glance(locked).why
    assert saved.glance(locked).finding == ""


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
def test_curves_over_dates__on_their_pages_and_on_a_board__say_what_happened(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering.ask, "__kwdefaults__", {"patience": 60.0})
    entries.add(entry=entries.Written("release", "4.2", date(2024, 3, 12)), by=None)
    root = User.objects.create_superuser("root")
    client, board = signed_in(root), boards.make_board(name="own", team=False, by=root)
    questions = [
        Question("activity", "signup", behaviour="play", by="week"),
        Question("lifecycle", "signup"),
        Question("retention", "signup", retention="on_day:7"),
    ]

    said = {}
    for question in questions:
        row = saved.save_view(name=question.view, question=question, by=root)
        card = boards.add_card(board=board, kind="view", pk=row.pk, by=root)
        pages = [client.get(saved.address_of(row), follow=True), client.get(f"/boards/{board.pk}/cards/{card.pk}/")]
        said[question.view] = [page.content.decode().count("▼ 4.2&#9;release, Mar 12, 2024") for page in pages]

    # Two curves of a behaviour; a board has the first. Days since signup are no dates.
    assert said == {"activity": [2, 1], "lifecycle": [1, 1], "retention": [0, 0]}
