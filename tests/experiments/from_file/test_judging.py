"""A finished test judged on its page says what `analyze_file` says, refuses what that refuses, and keeps no row."""

import json
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from aha.evidence.store_findings import pool_behaviour
from aha.models import AhaMoment, Finding
from events.erasure import remove_uploads
from events.models import Upload
from experiments.files import judge
from experiments.files.import_experiment import told_of
from experiments.files.judge import COLUMNS
from experiments.models import FinishedTest
from experiments.tasks import run_finished_test
from insight_site.exports.takeaway import as_json
from runs.models import Job
from runs.refusals import Refused
from tests.experiments.from_file.make_judged import chosen, client_of, judged, sent
from tests.experiments.stored import MOMENT
from tests.make import analysis, csv_file, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """A disk of the test's own for uploads."""
    settings.UPLOADS_DIR = tmp_path / "uploads"
    return tmp_path


@pytest.fixture
def analyst() -> Client:
    return client_of("Analyst")


def columns(n: int = 2_000, seed: int = 1) -> dict[str, list[Any]]:
    """The nudge moves 30 points of users to the behaviour, which keeps 20 points of them."""
    rng = np.random.default_rng(seed)
    nudge = np.arange(n) % 2
    did = (rng.random(n) < 0.2 + 0.3 * nudge).astype(int)
    return {
        "user_id": [f"u{place}" for place in range(n)],
        "group": np.where(nudge, "nudge", "control").tolist(),
        "did_it": did.tolist(),
        "retained": (rng.random(n) < 0.3 + 0.2 * did).astype(int).tolist(),
        "land": np.where(rng.random(n) < 0.5, "KR", "US").tolist(),
        "age": rng.integers(18, 60, n).tolist(),
        "town": (np.arange(n) // 10).tolist(),
        "chat": (np.random.default_rng(seed + 1).random(n) < 0.3 + 0.1 * nudge).astype(int).tolist(),
    }


OPTIONS = ("--unit", "user_id", "--variant", "group", "--control", "control", "--behaviour", "did_it")


def stored(run: FinishedTest) -> Any:
    """The report as the page's JSON download gives it."""
    assert run.status == "done", run.reason
    return json.loads(as_json(run))


def test_report__of_the_guessed_columns__is_that_of_the_command(folder: Path, analyst: Client) -> None:
    path = csv_file(folder, columns(), "banner.csv")

    run = judged(analyst, path)

    assert stored(run) == analysis(path, *OPTIONS, "--outcome", "retained")
    assert run.verdict == stored(run)["verdict"]["code"] == "CAUSES"


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (
            {"segment": "land", "covariate": ["age"], "adjusted": "on", "margin": "0.02", "alpha": "0.1"},
            "--segment land --covariate age --primary adjusted --margin 0.02 --alpha 0.1",
        ),
        (
            {"ratio": "control=1, nudge=1", "low": "0", "high": "0.01", "nudge_cost": "0.02", "segment": "land"},
            "--ratio control=1 --ratio nudge=1 --direct-effect 0 0.01 --nudge-cost 0.02 --segment land",
        ),
        ({"cluster": "town", "category": ["age"]}, "--cluster town --covariate age:category"),
        ({"category": ["age"]}, "--covariate age:category"),
        ({"more": ["age"]}, "--outcome age"),
        (
            {"other": ["chat"], "other_promise": "chat=0.18", "consequence": ["chat"]},
            "--other chat --other-promise chat=0.18 --consequence chat",
        ),
    ],
)
def test_report__with_options__is_that_of_the_command(
    folder: Path, analyst: Client, change: dict[str, Any], options: str
) -> None:
    path = csv_file(folder, columns(), "banner.csv")

    run = judged(analyst, path, **change)

    assert stored(run) == analysis(path, *OPTIONS, "--outcome", "retained", *options.split())


def test_page__of_a_korean_file_in_cp949__guesses_its_columns(folder: Path, analyst: Client) -> None:
    table = columns()
    names = {"사용자ID": "user_id", "실험그룹": "group", "친구추가 여부": "did_it", "리텐션": "retained"}
    korean = {name: table[column] for name, column in names.items()}
    korean["실험그룹"] = ["실험군" if one == "nudge" else "대조군" for one in korean["실험그룹"]]
    path = csv_file(folder, korean, "배너 시험.csv")
    as_utf_8 = analysis(
        path, *("--unit", "사용자ID", "--variant", "실험그룹", "--control", "대조군"),
        *("--behaviour", "친구추가 여부", "--outcome", "리텐션"),
    )  # fmt: skip
    path.write_bytes(path.read_text("utf-8").encode("cp949"))

    run = judged(analyst, path)
    page = analyst.get(reverse("experiments:judged", args=[run.pk])).content.decode()

    assert stored(run) == as_utf_8
    assert "배너 시험.csv" in page
    assert "“친구추가 여부”" in page


def test_first_screen__of_a_file__says_the_effect_its_cause_and_that_there_is_no_plan(
    folder: Path, analyst: Client
) -> None:
    run = judged(analyst, csv_file(folder, columns(), "banner.csv"), segment="land")

    context = analyst.get(reverse("experiments:judged", args=[run.pk])).context

    screen, row = context["summary"], stored(run)["outcomes"][0]["comparisons"][0]
    assert screen.difference == f"+{100 * row['difference']['estimate']:.1f} points"
    assert screen.question == "Is “did_it” the cause?"
    assert screen.answer.startswith("Yes: +")
    assert screen.basis == "Result of a file, without a registered plan"
    assert screen.quality == ("banner.csv", "2,000 users", "data quality good")
    assert [fact.title for fact in screen.facts] == ["Segments", "Plan", "Next"]
    assert [section.slug for section in context["sections"]] == [
        *("direct", "segments", "behaviour", "for-whom", "numbers", "units")
    ]


def test_file__once_judged__is_gone_with_every_row(folder: Path, analyst: Client) -> None:
    run = judged(analyst, csv_file(folder, columns(), "banner.csv"))

    assert not Upload.objects.exists()
    assert not list((folder / "uploads").glob("*/*"))
    assert '"u17"' not in json.dumps(run.payload)
    assert run.upload is None


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("retained", "maybe", "“Outcome”) must hold numbers"),
        ("did_it", "2", "“Behaviour”) must be 0 or 1, but row 7 holds 2"),
    ],
)
def test_refusal__of_a_row__names_file_row_and_column_and_stores_no_report(
    folder: Path, analyst: Client, column: str, value: str, said: str
) -> None:
    table = columns()
    table[column][5] = value
    path = csv_file(folder, table, "banner.csv")

    run = judged(analyst, path, behaviour="did_it", outcome="retained")
    page = analyst.get(reverse("experiments:judged", args=[run.pk])).content.decode()

    wanted = refusal(path, *OPTIONS, "--outcome", "retained").replace(str(path), "banner.csv")
    assert (run.status, run.payload, run.reason) == ("failed", None, wanted)
    assert "banner.csv" in page
    assert said in page.replace("&#x27;", "'")
    assert str(folder) not in page
    assert "Change the columns and try again" in page
    assert Upload.objects.exists()  # until a person tries again, or for its day


def test_try_again__after_a_refusal__has_the_choices_of_before(folder: Path, analyst: Client) -> None:
    path = csv_file(folder, columns(), "banner.csv")
    run = judged(analyst, path, control="Kontrolle", margin="0.02")
    assert run.status == "failed"
    assert "“Control group”" in analyst.get(reverse("experiments:judged", args=[run.pk])).content.decode()
    upload = Upload.objects.get()

    choices = chosen(analyst, upload)
    assert (choices["control"], choices["margin"]) == ("Kontrolle", 0.02)
    analyst.post(reverse(COLUMNS, args=[upload.key]), {**choices, "control": "control"})
    again = FinishedTest.objects.latest("pk")
    run_finished_test(again.pk)

    again.refresh_from_db()
    assert stored(again) == analysis(path, *OPTIONS, "--outcome", "retained", "--margin", "0.02")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": "0.5"}, "“False alarm rate” must lie between 0 and 0.5"),
        ({"margin": "-1"}, "“Smallest effect of interest” must be above 0"),
        ({"ratio": "control"}, "“Planned split” 'control' must be LABEL=SHARE"),
        ({"low": "1", "high": "0"}, "two numbers, the smaller one first"),
        ({"low": "1"}, "two ends"),
        ({"adjusted": "on"}, "an adjusted comparison needs a covariate"),
    ],
)
def test_option__that_no_file_can_bear__is_refused_at_once_and_nothing_is_stored(
    folder: Path, analyst: Client, change: dict[str, Any], said: str
) -> None:
    upload = sent(analyst, csv_file(folder, columns(40), "banner.csv"))

    answer = analyst.post(reverse(COLUMNS, args=[upload.key]), chosen(analyst, upload, change))

    page = answer.content.decode().replace("&#x27;", "'")
    assert said.lower() in page.lower()
    assert not FinishedTest.objects.exists()
    assert not Job.objects.filter(task="experiments.tasks.run_finished_test").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("log.jsonl", '{"a": 1}\n{"a": 2}\n', "table with a row for each user"),
        ("bare.csv", "1,2,3\n4,5,6\n", "no names of columns"),
    ],
)
def test_file__that_is_no_table_with_names__is_refused_and_removed(
    folder: Path, analyst: Client, name: str, content: str, said: str
) -> None:
    path = folder / name
    path.write_text(content)
    upload = sent(analyst, path)

    page = analyst.get(reverse(COLUMNS, args=[upload.key]), follow=True).content.decode()

    assert said in page
    assert not Upload.objects.exists()


def facts(**change: Any) -> dict[str, Any]:
    return {"name": "Banner", "moment": "friends", "first": "2026-01-01", "last": "2026-02-01", **change}


def test_added__to_past_experiments__counts_as_the_command_counts_it(folder: Path, analyst: Client) -> None:
    AhaMoment.objects.create(**MOMENT)
    path = csv_file(folder, columns(), "banner.csv")
    run = judged(analyst, path)
    address = reverse("experiments:judged_add", args=[run.pk])

    answer = analyst.post(address, facts(), follow=True)

    by_page: dict[str, Any] = dict(Finding.objects.values().get())
    pooled = pool_behaviour("friend_add")
    assert [row.name for row in pooled.used] == ["Banner"]
    assert answer.context["kept"].pk == by_page["id"]
    assert "The AHA moment" in answer.content.decode()
    assert "Banner" in analyst.get(reverse("aha:moment", args=["friends"]), {"tab": "evidence"}).content.decode()
    Finding.objects.all().delete()
    about = ("--name", "Banner", "--behaviour-key", "friends", "--from", "2026-01-01", "--to", "2026-02-01")
    call_command("import_experiment", str(path), *OPTIONS, "--outcome", "retained", *about, stdout=StringIO())
    by_command: dict[str, Any] = dict(Finding.objects.values().get())
    apart = {"id", "created_at", "created_by_id"}
    assert {name: by_page[name] for name in by_page if name not in apart} == {
        name: by_command[name] for name in by_command if name not in apart
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"last": "2025-12-31"}, "lies before"),
        ({"moment": ""}, "Choose the AHA moment"),
        ({"moment": "", "behaviour": "friend_add"}, "“At least so many times”"),
        ({"outcome": "spend"}, "spend"),
        ({"outcome": "sum:buy:price:0-6"}, "doesn&#x27;t hold what"),
    ],
)
def test_adding__with_a_wrong_fact__is_refused_and_keeps_nothing(
    folder: Path, analyst: Client, change: dict[str, Any], said: str
) -> None:
    AhaMoment.objects.create(**MOMENT)
    run = judged(analyst, csv_file(folder, columns(), "banner.csv"))

    answer = analyst.post(reverse("experiments:judged_add", args=[run.pk]), facts(**change))

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Finding.objects.exists()


def test_adding__twice_or_the_same_numbers_under_another_name__is_refused(folder: Path, analyst: Client) -> None:
    AhaMoment.objects.create(**MOMENT)
    path = csv_file(folder, columns(), "banner.csv")
    run = judged(analyst, path)
    address = reverse("experiments:judged_add", args=[run.pk])
    analyst.post(address, facts())

    again = analyst.post(address, facts(name="Second"), follow=True).content.decode()
    FinishedTest.objects.update(kept_as="")
    doubled = analyst.post(address, facts(name="Second")).content.decode()

    assert "is among the past experiments already" in again
    assert "evidence counts once" in doubled
    assert Finding.objects.count() == 1


@pytest.mark.parametrize("change", [{"behaviour": ""}, {"more": ["age"]}])
def test_adding__without_one_behaviour_and_one_outcome__is_not_offered(
    folder: Path, analyst: Client, change: dict[str, Any]
) -> None:
    run = judged(analyst, csv_file(folder, columns(), "banner.csv"), **change)

    page = analyst.get(reverse("experiments:judged", args=[run.pk])).content.decode()

    assert reverse("experiments:judged_add", args=[run.pk]) not in page
    assert analyst.get(reverse("experiments:judged_add", args=[run.pk])).status_code == 302


def test_erasure__of_a_user_in_a_waiting_file__removes_the_file(folder: Path, analyst: Client) -> None:
    sent(analyst, csv_file(folder, columns(40), "banner.csv"))

    assert remove_uploads(["nobody"]) == 0
    assert remove_uploads(["u17"]) == 1
    assert not Upload.objects.exists()


def test_event_pages__and_those_of_tests__show_only_their_own_files(folder: Path, analyst: Client) -> None:
    upload = sent(analyst, csv_file(folder, columns(40), "banner.csv"))

    assert "banner.csv" not in analyst.get(reverse("events:import")).content.decode()
    assert analyst.get(reverse("events:import_map", args=[upload.key])).status_code == 404
    assert "banner.csv" in analyst.get(reverse("experiments:judge")).content.decode()


def test_large_file__is_only_queued_by_the_page(folder: Path, analyst: Client) -> None:
    upload = sent(analyst, csv_file(folder, columns(40), "banner.csv"))
    analyst.post(reverse(COLUMNS, args=[upload.key]), chosen(analyst, upload))

    run = FinishedTest.objects.get()
    assert (run.status, run.payload) == ("queued", None)
    assert Job.objects.get(task="experiments.tasks.run_finished_test").arguments == [run.pk]
    twice = analyst.post(reverse(COLUMNS, args=[upload.key]), chosen(analyst, upload)).content.decode()
    assert "being judged already" in twice
    assert FinishedTest.objects.count() == 1


def test_add_to_past__of_two_people_at_once__takes_the_first(folder: Path, analyst: Client) -> None:
    AhaMoment.objects.create(**MOMENT)
    run = judged(analyst, csv_file(folder, columns(), "banner.csv"))
    first, last = date(2026, 1, 1), date(2026, 2, 1)
    told = [
        told_of(name=name, behaviour="friends", times=times, days=None, outcome=None, first=first, last=last)
        for name, times in (("First", 3), ("Second", 4))
    ]
    judge.add_to_past(test=run, facts=told[0])

    with pytest.raises(Refused, match="among the past experiments already"):
        judge.add_to_past(test=run, facts=told[1])  # with the row as it was before

    assert [row.name for row in Finding.objects.all()] == ["First"]
