"""What columns mean: the public logs as they lie there, and logs of game studios."""

from pathlib import Path

import pytest

from events.importing.mapping import Context, Mapping, guess_mapping, is_signup, kind_of, known_format, mistakes
from events.importing.options import SignupFrom
from events.importing.text_reading import Sample, guess_reading, sample_of


def guess(text: str, name: str = "log.csv", *, known: bool = False) -> Mapping:
    head = text.encode()
    sample = sample_of(head, guess_reading(head))
    return guess_mapping(sample, Context(name, "Asia/Seoul", lambda users: known))


# File, user, time, its format, event, properties, signup.
REAL = [
    ("CollegeMsg.txt", "source", "weight", "unix_s", "college_msg", ("target",), SignupFrom.FIRST),
    ("CDNOW_master.txt", "customer_id", "date", "%Y%m%d", "cdnow", ("number_of_cds", "dollar_value"), SignupFrom.FIRST),
    ("365_student_info.csv", "student_id", "date_registered", "iso", "signup", (), SignupFrom.NONE),
    ("365_student_engagement.csv", "student_id", "date_watched", "iso", "watched", (), SignupFrom.FIRST),
    ("365_student_purchases.csv", "student_id", "date_purchased", "iso", "purchased", 1, SignupFrom.FIRST),
    ("floodit_users_raw.csv", "user_pseudo_id", "user_first_engagement", "iso", "floodit_users", 17, SignupFrom.FIRST),
]  # fmt: skip


@pytest.mark.parametrize(("name", "user", "time", "code", "event", "properties", "signup"), REAL)
def test_guess__public_file_as_it_lies_there__needs_no_click(
    real_data: Path, name: str, user: str, time: str, code: str, event: str, properties: object, signup: SignupFrom
) -> None:
    with (real_data / "events" / name).open("rb") as file:
        head = file.read(1 << 20)
    head = head[: head.rfind(b"\n") + 1]
    sample = sample_of(head, guess_reading(head))

    found = guess_mapping(sample, Context(name))

    assert mistakes(found, sample) == []
    assert (found.user, found.time, known_format(found, sample), found.event, found.event_name) == (
        user,
        time,
        code,
        "",
        event,
    )
    assert found.signup is signup
    assert properties in (tuple(column for column, _ in found.properties), len(found.properties))


def test_guess__users_who_have_signed_up__no_signup_is_made() -> None:
    log = "student_id,date_watched\n1,2024-03-01\n2,2024-03-02\n"

    assert guess(log).signup is SignupFrom.FIRST
    assert guess(log, known=True).signup is SignupFrom.NONE


def test_guess__log_with_names__each_column_finds_its_place() -> None:
    found = guess(
        "Event Name,Event Time,User ID,uuid,level,premium,device_id\n"
        "battle,2024-03-01 10:00,u1,a1,3,true,d1\nregister,2024-03-01 10:01,u2,a2,4,false,d2\n"
    )

    assert (found.user, found.time, found.event, found.message_id) == ("User ID", "Event Time", "Event Name", "uuid")
    assert found.properties == (("level", "number"), ("premium", "flag"), ("device_id", "text"))
    assert (found.signup, found.signup_event) == (SignupFrom.EVENT, "register")


@pytest.mark.parametrize(("event", "signup"), [("signup", SignupFrom.NONE), ("가입", SignupFrom.EVENT)])
def test_guess__korean_log__and_its_signup(event: str, signup: SignupFrom) -> None:
    found = guess(f"회원번호,일시,이벤트,상품코드\n1001,2024-03-01 10:00,{event},007\n1002,2024-03-01 10:05,구매,008\n")

    assert (found.user, found.time, found.event) == ("회원번호", "일시", "이벤트")
    assert found.properties == (("상품코드", "text"),)
    assert found.signup is signup
    assert found.time_zone == "Asia/Seoul"


def test_guess__column_with_the_day_of_signup__is_taken_as_such() -> None:
    found = guess("user,time,joined_at,event\nu,2024-03-05,2024-03-01,play\nv,2024-03-06,2024-03-02,stop\n")

    assert (found.time, found.signup, found.signup_column) == ("time", SignupFrom.COLUMN, "joined_at")


def test_guess__id_that_is_a_plain_number__is_no_message_id() -> None:
    found = guess("purchase_id,user,time\n1,u,2024-03-01\n2,u,2024-03-02\n")

    assert found.message_id == ""
    assert found.properties == (("purchase_id", "text"),)


def test_guess__id_that_repeats__is_no_message_id() -> None:
    assert guess("uuid,user,time\na,u,2024-03-01\na,u,2024-03-02\n").message_id == ""


def test_guess__column_of_free_text__is_no_event() -> None:
    rows = "".join(f"u{i},2024-03-01,note {i}\n" for i in range(201))

    assert guess("user,time,activity\n" + rows).event == ""
    assert guess("user,time,activity\n" + rows.replace("note 200", "note 199")).event == "activity"


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("CollegeMsg.txt", "college_msg"),
        ("purchases_2024_export.csv.gz", "purchases"),
        ("events.csv", "event"),
        ("2024.csv", "event"),
        ("친구 추가 로그.csv", "친구_추가_로그"),
        ("", "event"),
    ],
)
def test_event_name__from_the_file(name: str, event: str) -> None:
    assert guess("a,b\nu,1082040961\nv,1082040999\n", name).event_name == event


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.50", "-3"], "number"),
        (["007"], "text"),
        (["1234567890123456"], "text"),
        (["1e5"], "text"),
        (["True", "false"], "flag"),
        (["Y", "n"], "flag"),
        (["1", "0"], "number"),
        (["yes", "maybe"], "text"),
        ([], "text"),
    ],
)
def test_kind__of_a_property(values: list[str], kind: str) -> None:
    assert kind_of(values) == kind


def test_is_signup__by_name_alone() -> None:
    assert all(map(is_signup, ["signup", "Sign Up", "sign_up", "Registered", "회원 가입", "first_open"]))
    assert not any(map(is_signup, ["signup_page_viewed", "login", "purchase"]))


def test_guess__one_column__is_complete_and_a_mistake() -> None:
    sample = sample_of(b"only\nx\ny\n", guess_reading(b"only\nx\ny\n"))
    found = guess_mapping(sample, Context("a.csv"))

    assert {refusal.at for refusal in mistakes(found, sample)} >= {"separator", "user"}


def test_guess__columns_without_rows__is_complete() -> None:
    found = guess_mapping(Sample(("a", "b"), ()), Context("a.csv"))

    assert {found.user, found.time} == {"a", "b"}
