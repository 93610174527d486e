"""Pages and REST of search, hygiene, tags, owners and the archive: what they do, and for whom."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from events.models import Tag
from events.upkeep import tags_and_owners
from experiments.models import Analysis
from insight_site.models import AuditEntry
from tests.events.upkeep.make import account, moment, segment, study
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def pm() -> Client:
    return signed_in(account("pm", "PM"))


# ── Search ────────────────────────────────────────────────────────────────────
def test_search_page__without_with_one_and_with_many_hits(pm: Client) -> None:
    assert "Nothing holds “spring”." in pm.get("/search/", {"q": "spring"}).content.decode()
    study("Spring <b>")
    one = pm.get("/search/", {"q": "spring"}).content.decode()
    assert "Spring &lt;b&gt;</a>" in one
    assert "More of this kind" not in one
    for number in range(30):
        study(f"Spring {number}")

    many = pm.get("/search/", {"q": "spring"})
    part = many.context["found"][0]
    assert (len(part["hits"]), bool(part["more"])) == (8, True)
    rest = pm.get("/search/", {"q": "spring", "kind": "study", "after": part["more"]}).context["found"][0]
    assert (len(rest["hits"]), rest["more"]) == (23, "")


@pytest.mark.parametrize("query", ["", "%00", "q=%00", "q=a&kind=nothing&after=%FF", "q=" + "x" * 5_000, "q=%F0%9F"])
def test_search_page__nonsense__is_a_page(pm: Client, query: str) -> None:
    study("a")
    assert pm.get(f"/search/?{query}").status_code == 200


def test_search__who_may_not_see_a_kind__does_not_find_it() -> None:
    study("Spring")
    nobody, analyst = signed_in(account("nobody")), signed_in(account("ann", "Analyst"))
    address = "/api/v1/search?q=spring"

    assert nobody.get("/search/", {"q": "spring"}).context["found"] == []
    assert nobody.get(address).json()["results"] == []
    assert len(analyst.get("/search/", {"q": "spring"}).context["found"]) == 1
    assert len(analyst.get(address).json()["results"]) == 1
    assert Client().get(address).status_code == 401
    assert Client().get("/search/").status_code == 302


def test_search_api__page_by_page(pm: Client) -> None:
    for number in range(5):
        study(f"Spring {number}")
    draft("spring", name="Spring test", hypothesis="x")

    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        asked: dict[str, Any] = {"q": "spring", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = pm.get("/api/v1/search", asked).json()
        found, cursor = found + page["results"], page["next"]

    assert [row["title"] for row in found] == ["Spring test", *(f"Spring {n}" for n in (4, 3, 2, 1, 0))]
    assert found[0] == {
        "kind": "experiment",
        "id": found[0]["id"],
        "title": "Spring test",
        "url": "/experiments/spring/",
        "status": "draft",
        "owner": "",
        "created_at": found[0]["created_at"],
        "snippet": "spring",
    }
    for wrong in ("", "q=", "q=" + "x" * 201, "q=a&limit=0", "q=a&limit=101"):
        assert pm.get(f"/api/v1/search?{wrong}").status_code == 400, wrong


@pytest.mark.slow
def test_pages_of_upkeep__show_no_locked_outcome(pm: Client) -> None:
    experiment = running("hint", name="Hint")
    experiment.planned_end = timezone.localdate() - timedelta(days=1)
    experiment.save()
    Analysis.objects.create(experiment=experiment, status="done", payload={"x": "sesame"}, checks=[], verdict="")

    for page in ("/search/?q=hint", "/search/?q=sesame", "/upkeep/", "/api/v1/search?q=hint", "/api/v1/hygiene"):
        answer = pm.get(page).content.decode()
        assert 'sesame"}' not in answer
        assert "CAUSES" not in answer
    assert "Hint" in pm.get("/upkeep/").content.decode()


# ── Tags, owners, archive on pages ────────────────────────────────────────────
@pytest.mark.slow
def test_tags__put_on_by_the_form__filter_the_list_and_stand_in_the_log(pm: Client) -> None:
    things = {"experiment": draft("exp"), "moment": moment(), "study": study(), "segment": segment()}
    lists = {
        "experiment": "/experiments/",
        "moment": "/aha/moments/",
        "study": "/aha/studies/",
        "segment": "/segments/",
    }
    for kind, thing in things.items():
        answer = pm.post(f"/upkeep/{kind}/{thing.pk}/tags/", {"tags": "Q4, growth", "next": lists[kind]})
        assert answer.headers["Location"] == lists[kind]
        assert "?tag=growth" in pm.get(lists[kind]).content.decode()
        assert "?tag=growth" in pm.get(lists[kind], {"tag": "growth"}).content.decode()
    tags_and_owners.set_tags(thing=draft("other"), names=["old"])

    assert [row["experiment"].key for row in pm.get("/experiments/?tag=q4").context["rows"]] == ["exp"]
    assert len(pm.get("/experiments/?tag=nothing").context["rows"]) == 2  # nonsense asks for nothing
    entries = AuditEntry.objects.filter(object_type="aha.Study", action="changed")
    assert [entry.after for entry in entries] == [{"Study_tags": ["growth", "q4"]}]
    assert AuditEntry.objects.filter(object_type="events.Tag", action="created").count() == 2


def test_tags__that_are_none__are_refused_with_a_sentence_and_nothing_changes(pm: Client) -> None:
    thing = study()
    answer = pm.post(f"/upkeep/study/{thing.pk}/tags/", {"tags": "ok, <script>", "next": "/aha/studies/"}, follow=True)
    assert "A tag is one short word" in answer.content.decode()
    assert not thing.tags.exists()


def test_next__of_another_site__is_not_followed(pm: Client) -> None:
    answer = pm.post(f"/upkeep/study/{study().pk}/tags/", {"tags": "a", "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_lists__mine__are_what_i_made_or_took_over() -> None:
    ann, ben = account("ann", "PM"), account("ben", "PM")
    study("made", created_by=ann)
    study("given", created_by=ben, owner=ann)
    study("gave away", created_by=ann, owner=ben)

    page = signed_in(ann).get("/aha/studies/", {"owner": "me"})
    assert {str(row["study"]) for row in page.context["rows"]} == {"made", "given"}
    api = signed_in(ann).get("/api/v1/studies", {"owner": "me"}).json()["results"]
    assert {row["title"] for row in api} == {"made", "given"}
    assert {row["owner"] for row in api} == {"ann"}
    of_ben = signed_in(ann).get("/api/v1/studies", {"owner": "ben"}).json()["results"]
    assert [row["title"] for row in of_ben] == ["gave away"]


def test_archive__by_the_button__and_back(pm: Client) -> None:
    thing = study("Spring")
    page = f"/aha/studies/{thing.pk}/"
    answer = pm.post(f"/upkeep/study/{thing.pk}/archive/", {"next": page}, follow=True).content.decode()
    assert "Spring is archived." in answer
    assert "Restore" in answer
    answer = pm.post(f"/upkeep/study/{thing.pk}/restore/", {"next": page}, follow=True).content.decode()
    assert "Spring is back in the lists." in answer
    claim = moment()
    running("hint", name="Hint", moment=claim)
    answer = pm.post(f"/upkeep/moment/{claim.pk}/archive/", {"next": "/aha/moments/"}, follow=True).content.decode()
    assert "It is in use, so it can&#x27;t be archived: experiment “Hint” (running)." in answer


def test_experiments__archived_ones__are_reachable_by_the_filter(pm: Client) -> None:
    draft("kept")
    draft("old")
    pm.post("/experiments/old/do/archive/")

    assert [row["experiment"].key for row in pm.get("/experiments/").context["rows"]] == ["kept"]
    assert [row["experiment"].key for row in pm.get("/experiments/?archived=1").context["rows"]] == ["old"]
    assert pm.get("/experiments/?archived=1&view=board").context["board"] is None


@pytest.mark.parametrize("verb", ["tags", "owner", "archive", "restore"])
def test_forms__of_who_may_only_read__are_refused(verb: str) -> None:
    thing = study()
    reader = signed_in(account("sam", "Service owner"))
    assert reader.post(f"/upkeep/study/{thing.pk}/{verb}/", {"tags": "a", "owner": "sam"}).status_code == 403
    assert "Tags, owner, archive" not in reader.get(f"/aha/studies/{thing.pk}/").content.decode()
    assert signed_in(account("pm", "PM")).post(f"/upkeep/nothing/1/{verb}/").status_code == 404
    assert signed_in(account("p", "PM")).post(f"/upkeep/study/999/{verb}/").status_code == 404


def test_owner__by_the_form(pm: Client) -> None:
    thing = study()
    account("ann", "Analyst")
    address = f"/upkeep/study/{thing.pk}/owner/"
    assert "belongs to ann" in pm.post(address, {"owner": "ann", "next": "/aha/studies/"}, follow=True).content.decode()
    assert "no such account" in pm.post(address, {"owner": "x\x00"}, follow=True).content.decode()
    thing.refresh_from_db()
    assert thing.owner is not None
    assert thing.owner.username == "ann"


def test_tags_page__a_pm_renames_merges_and_deletes__others_read(pm: Client) -> None:
    tags_and_owners.set_tags(thing=study(), names=["onbording", "old"])
    tags_and_owners.set_tags(thing=moment(), names=["onboarding"])
    wrong, old = Tag.objects.get(name="onbording"), Tag.objects.get(name="old")
    analyst = signed_in(account("ann", "Analyst"))
    assert "onbording" in analyst.get("/upkeep/tags/").content.decode()
    assert "New name of" not in analyst.get("/upkeep/tags/").content.decode()
    assert analyst.post(f"/upkeep/tags/{wrong.pk}/rename/", {"name": "x"}).status_code == 403
    assert analyst.post(f"/upkeep/tags/{wrong.pk}/delete/").status_code == 403

    pm.post(f"/upkeep/tags/{wrong.pk}/rename/", {"name": "Onboarding"})
    pm.post(f"/upkeep/tags/{old.pk}/delete/")

    assert [(tag.name, number) for tag, number in tags_and_owners.all_tags()] == [("onboarding", 2)]


# ── REST ──────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("address", "make"), [("studies/{0.pk}", study), ("moments/{0.key}", moment), ("segment-models/{0.key}", segment)]
)
def test_rest__tags_owner_archive_and_filters(pm: Client, address: str, make: Any) -> None:
    thing = make()
    whole, one = f"/api/v1/{address.split('/')[0]}", f"/api/v1/{address.format(thing)}"
    account("ann", "Analyst")

    put = pm.put(f"{one}/tags", {"tags": ["Q4", "growth"]}, content_type="application/json").json()
    assert put["tags"] == ["growth", "q4"]
    assert pm.put(f"{one}/owner", {"owner": "ann"}, content_type="application/json").json()["owner"] == "ann"
    assert len(pm.get(whole, {"tag": "Q4"}).json()["results"]) == 1
    assert pm.get(whole, {"tag": "none"}).json()["results"] == []
    assert pm.get(whole, {"tag": "<"}).json()["results"] == []
    assert pm.get(whole, {"owner": "nobody"}).json()["results"] == []
    assert pm.put(f"{one}/tags", {"tags": ["<"]}, content_type="application/json").status_code == 409
    assert pm.put(f"{one}/owner", {"owner": "who"}, content_type="application/json").status_code == 400

    assert pm.post(f"{one}/archive").json()["archived_at"] is not None
    assert pm.get(whole).json()["results"] == []
    assert pm.get(one).status_code == 200
    assert len(pm.get(whole, {"archived": "true"}).json()["results"]) == 1
    assert pm.post(f"{one}/restore").json()["archived_at"] is None
    assert pm.get(whole, {"archived": "true"}).json()["results"] == []
    row = pm.get(whole).json()["results"][0]
    assert (row["tags"], row["owner"], row["archived_at"]) == (["growth", "q4"], "ann", None)
    reader = signed_in(account("sam", "Service owner"))
    assert reader.post(f"{one}/archive").status_code == 403
    assert reader.put(f"{one}/tags", {"tags": []}, content_type="application/json").status_code == 403


def test_rest__of_experiments__tags_and_owner(pm: Client) -> None:
    draft("exp")
    draft("other")
    json: Any = {"content_type": "application/json"}

    assert pm.put("/api/v1/experiments/exp/tags", {"tags": ["q4"]}, **json).json()["tags"] == ["q4"]
    assert pm.put("/api/v1/experiments/exp/owner", {"owner": "pm"}, **json).json()["owner"] == "pm"
    rows = pm.get("/api/v1/experiments", {"tag": "q4"}).json()["results"]
    assert [(row["key"], row["tags"], row["owner"]) for row in rows] == [("exp", ["q4"], "pm")]
    assert pm.get("/api/v1/experiments/exp").json()["tags"] == ["q4"]
    assert [row["key"] for row in pm.get("/api/v1/experiments", {"owner": "me"}).json()["results"]] == ["exp"]


def test_rest__archive_of_what_runs__is_409_with_the_sentence(pm: Client) -> None:
    claim = moment()
    running("hint", name="Hint", moment=claim)
    answer = pm.post("/api/v1/moments/friends/archive")
    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert "experiment “Hint” (running)" in answer.json()["detail"]


def test_rest__tags__rename_merge_delete(pm: Client) -> None:
    tags_and_owners.set_tags(thing=study(), names=["a", "b"])
    tags_and_owners.set_tags(thing=moment(), names=["c"])
    ids = {row["name"]: row["id"] for row in pm.get("/api/v1/tags").json()["results"]}
    json: Any = {"content_type": "application/json"}

    assert pm.patch(f"/api/v1/tags/{ids['a']}", {"name": "A1"}, **json).json()["name"] == "a1"
    assert pm.post(f"/api/v1/tags/{ids['b']}/merge", {"into": "c"}, **json).json()["name"] == "c"
    assert pm.delete(f"/api/v1/tags/{ids['a']}").status_code == 204
    assert [(tag.name, number) for tag, number in tags_and_owners.all_tags()] == [("c", 2)]
    reader = signed_in(account("sam", "Analyst"))
    assert reader.delete(f"/api/v1/tags/{ids['c']}").status_code == 403


@pytest.mark.slow
def test_hygiene__page_and_rest_say_the_same_and_the_first_page_counts_it(pm: Client) -> None:
    late = running("late", name="Late")
    type(late).objects.update(planned_end=timezone.localdate() - timedelta(days=1))
    study("done")  # so that the first page isn't that of an empty site
    assert "Everything is in order" not in pm.get("/upkeep/").content.decode()
    rest = pm.get("/api/v1/hygiene").json()

    assert (rest["count"], rest["by_rule"]["past_end"], rest["by_rule"]["still_asked"]) == (1, 1, 0)
    assert rest["by_rule"]["duplicate_study"] == 0  # clients of 0.4 read it
    assert (rest["results"][0]["rule"], rest["results"][0]["title"]) == ("past_end", "Late")
    home = pm.get("/")
    assert home.context["hygiene"] == 1
    assert 'id="hygiene"' in home.content.decode()
    assert pm.get("/upkeep/?owner=me").context["number"] == 0
    act = pm.get("/upkeep/").context["sections"][0].lines[0].act
    assert act.url == "/experiments/late/do/stop/"
    assert signed_in(account("sam", "Service owner")).get("/upkeep/").context["sections"][0].lines[0].act is None
    pm.post(act.url)
    assert pm.get("/upkeep/").context["number"] == 0
    assert 'id="hygiene"' not in pm.get("/").content.decode()
