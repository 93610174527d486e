"""Pages of segments: who may do what, what a refusal shows, and that nothing changes then."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from reporting.document import dump
from runs.refusals import Refused
from segments.models import ChurnRun, Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion
from segments.published import predict_churn, rule_members
from segments.published import publish as published_publish
from segments.published import publish as publishing
from segments.search import segmentations
from segments.search.question import Inputs
from tests.segments.make_report import nothing_found, report

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def empty_store(settings: Any, tmp_path: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "store")
    settings.EXPLORE_DIR = str(tmp_path / "prepared")


@pytest.fixture
def analyst(client: Client) -> Client:
    """Logged in, without any permission."""
    client.force_login(User.objects.create_user("ann"))
    return client


@pytest.fixture
def pm() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("pm"))
    return client


def done_run(found: bool = True) -> SegmentationRun:
    made = report() if found else nothing_found()
    return SegmentationRun.objects.create(
        title="November", status="done", payload=dump(made), inputs=dump(made.inputs), model={}, share=1.0
    )


def published() -> Segment:
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(
        refreshed_at="2026-03-01T00:00:00Z",
        model=model,
        number=1,
        run=done_run(),
        inputs=dump(report().inputs),
        units=3,
    )
    profile = dump(report().clusters[0].profile)
    Segment.objects.create(version=version, key="g2", number=1, stability=0.4, targetable=False, size=1)
    return Segment.objects.create(version=version, key="g1", name="Fighters", stability=0.9, size=2, profile=profile)


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise Refused("No, because.")


def enough(inputs: Inputs) -> segmentations.Foretold:
    """What a search says of itself where there are users enough."""
    return segmentations.foretold(inputs, 5_000, 4_000, 3_000, 15)


# ── Permissions ───────────────────────────────────────────────────────────────
def paths(segment: Segment) -> dict[str, tuple[str, str]]:
    run = SegmentationRun.objects.latest("pk")
    churn_run = ChurnRun.objects.create(segment=segment)
    return {
        "new_run": (reverse("segments:new_run"), "add_segmentationrun"),
        "cancel_run": (reverse("segments:run_cancel", args=[run.pk]), "add_segmentationrun"),
        "publish_run": (reverse("segments:publish_run", args=[run.pk]), "add_segmentversion"),
        "new_rule": (reverse("segments:new_rule"), "add_segmentversion"),
        "preview_rule": (reverse("segments:preview_rule"), "add_segmentversion"),
        "rule_builder": (reverse("segments:rule_builder"), "add_segmentversion"),
        "refresh_model": (reverse("segments:refresh_model", args=["style"]), "change_segmentversion"),
        "rename": (reverse("segments:rename", args=[segment.pk]), "change_segment"),
        "start_churn": (reverse("segments:start_churn", args=[segment.pk]), "add_churnrun"),
        "cancel_churn": (reverse("segments:churn_cancel", args=[churn_run.pk]), "add_churnrun"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "new_run",
        "cancel_run",
        "publish_run",
        "new_rule",
        "preview_rule",
        "rule_builder",
        "refresh_model",
        "rename",
        "start_churn",
        "cancel_churn",
    ],
)
def test_post__by_permission__login_403_or_allowed(client: Client, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for module, verb in (
        (segmentations, "start_segmentation"),
        (publishing, "publish_run"),
        (publishing, "refresh"),
        (publishing, "rename"),
        (published_publish, "publish_rule"),
        (rule_members, "count_rule"),
        (predict_churn, "start_churn"),
    ):
        monkeypatch.setattr(module, verb, refuse)
    path, permission = paths(published())[name]
    ann = User.objects.create_user("ann")

    anonymous = client.post(path)
    client.force_login(ann)
    without = client.post(path)
    ann.user_permissions.add(Permission.objects.get(content_type__app_label="segments", codename=permission))
    allowed = client.post(path)

    assert (anonymous.status_code, anonymous.headers["Location"][:7]) == (302, "/login/")
    assert without.status_code == 403
    assert allowed.status_code in (200, 302, 422)


def test_pages__read_by_anybody_logged_in__without_buttons(analyst: Client) -> None:
    segment = published()
    run = SegmentationRun.objects.latest("pk")

    pages = [
        analyst.get(path).content.decode()
        for path in ("/segments/", f"/segments/runs/{run.pk}/", f"/segments/models/{segment.version.model.key}/")
    ]

    assert all('<form method="post" action="/segments' not in page for page in pages)
    assert "You can read this, but not publish." in pages[1]


# ── Runs ──────────────────────────────────────────────────────────────────────
def test_list__empty__what_to_do_next(pm: Client) -> None:
    page = pm.get("/segments/").content.decode()

    assert "No segment yet." in page
    assert reverse("segments:new_run") in page
    assert reverse("segments:new_rule") in page


def test_run_progress__polled__refreshes_only_when_ended(pm: Client) -> None:
    run = SegmentationRun.objects.create(status="running", stage="null", share=0.42)
    path = f"/segments/runs/{run.pk}/progress/"

    going = pm.get(path, headers=HTMX)
    SegmentationRun.objects.update(status="failed", reason="No such event.")
    ended = pm.get(path, headers=HTMX)

    assert "HX-Refresh" not in going.headers
    assert "42%" in going.content.decode()
    assert "comparing with populations without groups" in going.content.decode()
    assert "HX-Request" in going.headers["Vary"]
    assert ended.headers["HX-Refresh"] == "true"


def test_run_progress__plain_link__goes_to_the_page(pm: Client) -> None:
    run = SegmentationRun.objects.create()

    assert pm.get(f"/segments/runs/{run.pk}/progress/").headers["Location"] == f"/segments/runs/{run.pk}/"


def test_cancel_run__open_then_again__second_is_refused(pm: Client) -> None:
    run = SegmentationRun.objects.create()
    path = f"/segments/runs/{run.pk}/cancel/"

    first, second = pm.post(path, follow=True), pm.post(path, follow=True)

    run.refresh_from_db()
    assert run.status == "cancelled"
    assert "asked to stop" in first.content.decode()
    assert "ended already" in second.content.decode()


def test_run_page__failed__its_reason(analyst: Client) -> None:
    run = SegmentationRun.objects.create(status="failed", reason="There is no event 'sign'.")

    assert "There is no event &#x27;sign&#x27;." in analyst.get(f"/segments/runs/{run.pk}/").content.decode()


@pytest.mark.parametrize(
    ("language", "headline"), [("en", "2 stable groups of users"), ("ko", "안정적인 사용자 그룹 2개")]
)
def test_run_page__done__the_answer_first(analyst: Client, language: str, headline: str) -> None:
    path = f"/segments/runs/{done_run().pk}/"
    answer, evidence, method = (
        analyst.get(f"{path}{tab}", headers={"accept-language": language}).content.decode()
        for tab in ("", "?tab=evidence", "?tab=method")
    )

    assert all(headline in text for text in (answer, evidence, method))
    assert answer.index(headline) < answer.index('id="groups"') < answer.index('id="publish"')
    assert 'id="evidence"' in evidence
    assert 'id="maps"' in evidence
    assert 'id="details"' in method
    assert not any(f'id="{slug}"' in answer for slug in ("evidence", "maps", "details"))


def test_run_page__nothing_found__publish_is_disabled_with_the_reason(pm: Client) -> None:
    page = pm.get(f"/segments/runs/{done_run(found=False).pk}/").content.decode()

    assert "No stable groups: use activity tiers" in page
    assert "there is nothing to publish" in page
    assert "disabled>Publish</button>" in page
    assert "/publish" not in page


def test_publish_run__form__service_gets_it(pm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    segment = published()

    def publish(**kwargs: Any) -> SegmentVersion:
        asked.append(kwargs)
        return segment.version

    monkeypatch.setattr(publishing, "publish_run", publish)
    run = done_run()

    answer = pm.post(f"/segments/runs/{run.pk}/publish/", {"key": "style", "name": "Style", "refresh_days": ""})

    assert answer.headers["Location"] == "/segments/models/style/"
    assert asked[0] == {"run": run, "key": "style", "name": "Style", "refresh_days": None, "by": asked[0]["by"]}


@pytest.mark.parametrize(("key", "words"), [("style", "No, because."), ("not a key", "for example not-a-key")])
def test_publish_run__refused__sentence_on_the_same_page(
    pm: Client, monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    monkeypatch.setattr(publishing, "publish_run", refuse)

    answer = pm.post(f"/segments/runs/{done_run().pk}/publish/", {"key": key, "name": "Style"})

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not SegmentModel.objects.exists()


# ── Models ────────────────────────────────────────────────────────────────────
def test_model_page__segments__unstable_one_cannot_be_named(pm: Client) -> None:
    segment = published()
    other = Segment.objects.get(key="g2")

    page = pm.get("/segments/models/style/").content.decode()

    assert reverse("segments:rename", args=[segment.pk]) in page
    assert reverse("segments:rename", args=[other.pk]) not in page
    assert "dissolves: no name, no targeting" in page


def test_model_page__rule__in_words(analyst: Client) -> None:
    model = SegmentModel.objects.create(key="ios", name="iOS", kind="rule")
    SegmentVersion.objects.create(
        refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, rule={"all": [{"trait": "platform", "is": "ios"}]}
    )

    page = analyst.get("/segments/models/ios/").content.decode()

    assert "platform is ios" in page
    assert "Drift" not in page


def test_rename__refused__old_name_stays(pm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = published()
    monkeypatch.setattr(publishing, "rename", refuse)

    page = pm.post(f"/segments/{segment.pk}/name/", {"name": "Brawlers"}, follow=True).content.decode()

    assert "No, because." in page
    segment.refresh_from_db()
    assert segment.name == "Fighters"


def test_rename__real_service__new_name(pm: Client) -> None:
    segment = published()

    pm.post(f"/segments/{segment.pk}/name/", {"name": "Brawlers"})

    segment.refresh_from_db()
    assert segment.name == "Brawlers"


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_rename__no_name__a_sentence(pm: Client, name: str) -> None:
    page = pm.post(f"/segments/{published().pk}/name/", {"name": name}, follow=True).content.decode()

    assert "A name needs 1 to 100 characters." in page


def test_refresh__refused__a_sentence(pm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    published()
    monkeypatch.setattr(publishing, "refresh", refuse)

    assert "No, because." in pm.post("/segments/models/style/refresh/", follow=True).content.decode()


def test_members_csv__segment__a_file_that_spreadsheets_read(pm: Client) -> None:
    segment = published()
    Membership.objects.create(version=segment.version, unit="사용자1", segment=segment, risk=0.25)

    answer = pm.get(f"/segments/{segment.pk}/members.csv")

    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.startswith("\ufeffuser,")
    assert "사용자1" in text
    assert answer.headers["Content-Disposition"] == 'attachment; filename="style-v1-g1.csv"'
