"""An uploaded file on its way into the store: guessed, corrected, imported, refused rows told, cancelled, repeated."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from events.importing import uploads
from events.models import FileImport, Upload
from events.store import event_table
from events.warehouse import engine
from runs.models import Job
from runs.progress import Cancelled
from tests.events.uploads.conftest import fields, waiting

pytestmark = pytest.mark.django_db
LOG = b"user,time,event,n\nu,2024-03-01,play,3\nv,2024-03-02,play,\nv,2024-03-02,play,\n"


def stored() -> list[tuple[str, str]]:
    if not event_table.exists():
        return []
    with engine.connect() as house:
        frame = house.run(house.named(house.events))
    return sorted(zip(frame.user_id, frame.event, strict=True))


def run(row: FileImport) -> FileImport:
    uploads.run_import(row.pk)
    row.refresh_from_db()
    return row


def told(row: FileImport) -> dict[str, Any]:
    payload: dict[str, Any] | None = row.payload
    assert payload is not None
    return payload


@pytest.mark.slow
def test_import__guess_confirmed__events_are_there_and_the_file_is_gone(
    client: Client, confirm: Callable[..., FileImport], tmp_path: Path
) -> None:
    row = run(confirm("log.csv", LOG))

    assert (row.status, row.imported, row.refused_rows) == ("done", 3, 0)
    assert stored() == [("u", "play"), ("u", "signup"), ("v", "play"), ("v", "play"), ("v", "signup")]
    assert waiting() == []
    assert [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []
    page = client.get(f"/data/import/runs/{row.pk}/").content.decode()
    assert Job.objects.filter(task="insight_site.tasks.count_home_figures").count() == 1
    for words in ("3 new events.", "2 users, Mar 1, 2024 to Mar 2, 2024", "0 of 3 rows were refused"):
        assert words in page


@pytest.mark.slow
def test_import__same_file_twice__adds_nothing_and_says_so(client: Client, send: Any, confirm: Any) -> None:
    run(confirm("log.csv", LOG))
    before = stored()

    page = client.get(send("again.csv", LOG).json()["next"]).content.decode()
    row = run(confirm("again.csv", LOG))

    assert "imported before" in page
    assert (row.imported, row.status) == (0, "done")
    assert stored() == before


@pytest.mark.slow
def test_import__same_file_twice__begins_with_the_choices_of_the_first(client: Client, send: Any, confirm: Any) -> None:
    run(confirm("log.csv", LOG, event="", event_name="did", signup="none", keep_3=""))

    form = client.get(send("log.csv", LOG).json()["next"]).context["form"]

    assert (form["event"].value(), form["event_name"].value(), form["signup"].value()) == ("", "did", "none")
    assert form["keep_3"].value() is False


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp949"])
def test_import__korean_file__in_its_encoding(confirm: Callable[..., FileImport], encoding: str) -> None:
    text = "회원번호,시간,이벤트\r\n가1,2024-03-01 10:00,구매\r\n나2,2024-03-01 10:01,친구 추가\r\n"

    row = run(confirm("로그.csv", text.encode(encoding), signup="none"))

    assert (row.status, row.refused_rows) == ("done", 0)
    assert stored() == [("가1", "구매"), ("나2", "친구 추가")]


@pytest.mark.slow
def test_import__packed_cp949_with_a_broken_row__refuses_that_row(confirm: Callable[..., FileImport]) -> None:
    text = ("회원,시간,이벤트\n" + "가,2024-03-01,구매\n" * 200).encode("cp949") + b"\x80\xff,2024-03-03,a\n"

    row = run(confirm("a.csv.gz", gzip.compress(text), signup="none"))

    assert row.status == "done"
    assert told(row)["bad"] == {"encoding": 1}
    assert stored() == [("가", "구매")] * 200


@pytest.mark.slow
def test_import__refused_rows__are_counted_shown_and_downloaded_without_formulas(
    client: Client, confirm: Callable[..., FileImport]
) -> None:
    bad = b"u,=1+cmd|'/C calc'!A0,play\n" * 3 + b",2024-03-01,play\nu,2024-03-01\n"
    row = run(confirm("log.csv", b"user,time,event\n" + b"u,2024-03-01,play\n" * 40 + bad, signup="none"))

    page = client.get(f"/data/import/runs/{row.pk}/").content.decode()
    answer = client.get(f"/data/import/runs/{row.pk}/refused.csv")
    lines = list(csv.reader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))

    assert told(row)["bad"] == {"bad_time": 3, "fields": 1, "missing_user": 1}
    assert "3 rows: the time can&#x27;t be read." in page
    assert "5 of 45 rows were refused" in page
    assert [line[0] for line in lines] == ["Line", "42", "43", "44", "45", "46"]
    assert not any(cell.startswith(("=", "+", "@")) for line in lines for cell in line)


@pytest.mark.slow
def test_import__more_than_a_thousand_refused__the_first_are_named(confirm: Callable[..., FileImport]) -> None:
    content = b"user,time,event\n" + b"u,2024-03-01,play\n" + b"u,2024-03-01\n" * 700 + b",2024-03-01,play\n" * 700

    row = run(confirm("log.csv", content, signup="none"))

    assert row.refused_rows == 1_400
    assert [bad["line"] for bad in told(row)["examples"]] == list(range(3, 1_003))


def test_import__no_row_fits__fails_with_a_sentence_and_keeps_the_file(client: Client, confirm: Any) -> None:
    row = run(confirm("log.csv", b"user,time,event\n,2024-03-01,play\n,2024-03-01,play\n", signup="none"))

    assert row.status == "failed"
    assert "None of the 2 rows could be stored" in row.reason_in_words
    assert waiting() == ["log.csv"]
    page = client.get(f"/data/import/runs/{row.pk}/").content.decode()
    assert f'href="/data/import/{Upload.objects.get().key}/"' in page


@pytest.mark.slow
def test_import__cancelled_halfway__nothing_is_kept_and_the_choices_stay(
    client: Client, confirm: Callable[..., FileImport], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = confirm("log.csv", LOG, event="", event_name="did")
    begun = uploads._listener

    def listener(progress: Any) -> Any:
        told = begun(progress)

        def listen(step: str, percent: float, speed: float) -> None:
            told(step, percent, speed)
            if step == "signup":
                raise Cancelled

        return listen

    monkeypatch.setattr(uploads, "_listener", listener)

    assert run(row).status == "cancelled"
    assert stored() == []
    form = client.get(f"/data/import/{Upload.objects.get().key}/").context["form"]
    assert form["event_name"].value() == "did"


@pytest.mark.slow
def test_import__while_one_runs__a_second_of_the_same_file_is_refused(client: Client, confirm: Any) -> None:
    confirm("log.csv", LOG)
    page = f"/data/import/{Upload.objects.get().key}/"

    answer = client.post(page, fields(client.get(page)))
    client.post(f"{page}remove/")

    assert "being imported already" in answer.content.decode()
    assert (FileImport.objects.count(), waiting()) == (1, ["log.csv"])


@pytest.mark.slow
def test_import__line_of_100_megabytes__is_one_refused_row(confirm: Callable[..., FileImport]) -> None:
    content = b"user,time,event\nu,2024-03-01,a\n" + b"u,2024-03-01," + b"x" * 100_000_000 + b"\nv,2024-03-02,a\n"

    row = run(confirm("log.csv", content, signup="none"))

    assert told(row)["bad"] == {"too_long": 1}
    assert stored() == [("u", "a"), ("v", "a")]


@pytest.mark.parametrize(
    ("content", "changes", "field", "words"),
    [
        (LOG, {"user": "1"}, "user", "is the time already"),
        (LOG, {"event": "0"}, "event", "used above already"),
        (LOG, {"event": "", "event_name": " "}, "event_name", "Give the event a name"),
        (LOG, {"time": "2"}, "time", "holds no times"),
        (LOG, {"signup": "column"}, "signup_column", "holds no dates"),
        (LOG, {"signup": "event", "signup_event": ""}, "signup_event", "Choose the event"),
        (b"user,when\nu,soon\nv,later\n", {}, "time_format", "be recognised"),
    ],
)
def test_mapping__mistake__is_said_at_its_field(
    client: Client, send: Callable[..., Any], content: bytes, changes: dict[str, str], field: str, words: str
) -> None:
    page = send("log.csv", content).json()["next"]
    data = {**fields(client.get(page)), **changes}

    told = client.post(page, data, headers={"HX-Request": "true"})
    sent = client.post(page, data)

    for answer in (told, sent):
        assert answer.status_code == 200
        assert words in str(answer.context["form"].errors[field])
    assert not FileImport.objects.exists()


def test_mapping__another_separator__guesses_the_columns_anew(client: Client, send: Callable[..., Any]) -> None:
    page = send("log.csv", b"user,time;day\nu,1;2024-03-01\nv,2;2024-03-02\n").json()["next"]
    data = fields(client.get(page))

    answer = client.post(page, {**data, "separator": ";"}, headers={"HX-Request": "true"})

    assert [column["name"] for column in answer.context["form"].columns()] == ["user,time", "day"]


def test_mapping__one_column__says_so_at_the_separator(client: Client, send: Callable[..., Any]) -> None:
    page = client.get(send("log.csv", b"only\nx\ny\n").json()["next"]).content.decode()

    assert "The file has one column" in page
    assert "disabled" in page


@pytest.mark.slow
def test_mapping__5000_columns__is_refused_with_a_sentence(client: Client, send: Callable[..., Any]) -> None:
    content = ",".join(f"c{i}" for i in range(5_000)).encode() + b"\n" + b",".join([b"x"] * 5_000) + b"\n"

    answer = client.get(send("log.csv", content).json()["next"], follow=True)

    assert "The file has 5,000 columns" in answer.content.decode()


@pytest.mark.slow
def test_page__of_an_import__asks_the_database_a_fixed_number_of_times(
    client: Client, confirm: Any, django_assert_max_num_queries: Any
) -> None:
    row = run(confirm("log.csv", LOG))

    with django_assert_max_num_queries(12):
        client.get("/data/import/")
    with django_assert_max_num_queries(12):
        client.get(f"/data/import/runs/{row.pk}/")


@pytest.mark.slow
def test_import__some_users_without_signup__are_counted_and_offered(client: Client, send: Any, confirm: Any) -> None:
    log = b"user,time,event\nu,2024-03-01,install\nu,2024-03-02,play\nv,2024-03-02,play\nv,2024-03-01,play\n"
    said = "1 of 2 users have no signup, so they are in no study that begins with it."

    mapping = client.get(send("log.csv", log).json()["next"]).content.decode()
    row = run(confirm("log.csv", log))
    result = client.get(f"/data/import/runs/{row.pk}/").content.decode()
    page = send("log.csv", log).json()["next"]
    offered = {**fields(client.get(page)), "signup_others": "on"}
    asked = client.post(page, offered, headers={"hx-request": "true"}).content.decode()
    again = run(confirm("log.csv", log, signup_others="on"))

    assert said in mapping
    assert 'name="signup_others"' in mapping
    assert said in result
    assert "1 of 2 users have no signup of their own" in asked
    assert stored().count(("v", "signup")) == 1
    assert (told(row)["without_signup"], told(again)["without_signup"], told(again)["imported"]) == (1, 0, 0)
