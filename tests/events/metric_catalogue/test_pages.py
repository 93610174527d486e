"""The pages of the catalogue: what they show, and what a person does there."""

from datetime import UTC, date, datetime
from typing import Any

import lxml.html
import pytest
from django.contrib.auth.models import User
from django.test import Client

from events.catalogue import save_metrics
from events.catalogue.check_report import CHECK, CheckReport, PastWeek
from events.catalogue.metric_page import badge_warning
from events.metrics.facts import Facts
from events.models import Metric, MetricCheck
from stats.false_alarms import FalseAlarms
from stats.results import Interval, NotComputable, Reason
from tests.events.metric_catalogue.make import certified, metric
from tests.experiments.make import running

pytestmark = pytest.mark.django_db
FORM = {
    "name_en": "Revenue",
    "name_ko": "매출",
    "definition": "active_days:0-6",
    "direction": "higher",
    "tags": "money",
}


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def text_of(answer: Any) -> str:
    return " ".join(lxml.html.fromstring(answer.content.decode()).text_content().split())


def checked(row: Metric, alarms: int = 51, rows: int | None = None) -> MetricCheck:
    rate = Interval(alarms / 1000, alarms / 1000 - 0.013, alarms / 1000 + 0.015, 0.95, "wilson-interval")
    report = CheckReport(
        definition=row.current.definition,
        is_share=False,
        signup_event="signup",
        cap=None,
        units=2_400,
        weeks=(
            PastWeek(date(2026, 3, 1), 1_200, Interval(12.5, 12.0, 13.0, 0.95, "mean-interval")),
            PastWeek(date(2026, 3, 8), 0, NotComputable(Reason.NO_DATA)),
        ),
        badge=FalseAlarms(alarms, 1_000, 0, 2_400, rate, 0.05),
        sampled=2_400,
        splits=1_000,
        seed=1,
        rows=rows,
    )
    return MetricCheck.objects.create(
        version=row.current,
        status="done",
        payload=CHECK.store(report),
        alarms=alarms,
        splits=1_000,
        as_of=datetime(2026, 3, 20, tzinfo=UTC),
    )


def test_form__a_new_metric__is_a_draft_with_a_key_of_its_name(boss: Client) -> None:
    answer = boss.post("/data/metrics/new/", {**FORM, "name_en": "Paid revenue", "cap": "99.9%", "margin": "0.5"})

    assert answer.headers["Location"] == "/data/metrics/paid-revenue/"
    row = Metric.objects.get()
    assert (row.status, row.tag_list, row.current.cap, row.current.margin) == ("draft", ["money"], "99.9%", 0.5)


def test_form__margin_of_a_share__is_written_and_shown_in_points(boss: Client) -> None:
    boss.post("/data/metrics/new/", {**FORM, "definition": "on_day:7", "margin": "1.5"})

    assert Metric.objects.get().current.margin == 0.015
    assert 'name="margin" value="1.5"' in boss.get("/data/metrics/revenue/change/").content.decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"definition": "nonsense:1"}, "is no"),
        ({"cap": "much"}, "A cap is a number"),
        ({"definition": "on_day:7", "cap": "9"}, "is no metric"),
        ({"margin": "0"}, "A margin is a number above 0"),
        ({"key": "revenue"}, "There is a metric &#x27;revenue&#x27; already"),
        ({"key": "new"}, "A key has small letters"),
        ({"tags": "a" * 50}, "A tag has at most"),
    ],
)
def test_form__what_cant_be__is_said_beside_its_field(boss: Client, change: dict[str, str], said: str) -> None:
    metric()

    answer = boss.post("/data/metrics/new/", {**FORM, "name_en": "Other", **change})

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert (
        f'class="field name-{next(iter(set(change) - {"definition"} or {"definition"}))} wrong'
        in answer.content.decode()
    )
    assert Metric.objects.count() == 1


def test_page__of_a_metric__shows_both_sentences_versions_uses_and_badge(boss: Client) -> None:
    row = certified(unit="KRW")
    running("exp", primary_metrics=["metric:revenue"])
    save_metrics.change_metric(key="revenue", facts=Facts("sum:buy:price:0-13", "99%"), why="Two weeks.")
    checked(Metric.objects.get())

    said = text_of(boss.get("/data/metrics/revenue/"))

    assert "Per user, from day 0 to day 13: the sum of price over buy." in said
    assert "0일차부터 13일차까지" in said or "13" in said
    assert "5.1% of 1,000 splits (3.9 to 6.6)" in said
    assert "exp · version 1 (unchanged since its start)" in said
    assert "Definition: sum:buy:price:0-6 → sum:buy:price:0-13" in said
    assert "Cap: – → 99%" in said
    assert "Two weeks." in said
    assert "12.50 KRW" in said
    assert "There are no values for this yet. If it is a base rate, enter one." in said
    assert row.key in said


@pytest.mark.parametrize(
    ("alarms", "warned"),
    [(51, ""), (20, "Fewer alarms than the planned 5%"), (90, "More false alarms than the planned 5%")],
)
def test_badge__where_its_interval_excludes_the_planned_rate__warns(boss: Client, alarms: int, warned: str) -> None:
    checked(metric(), alarms)

    page, rows = text_of(boss.get("/data/metrics/revenue/")), text_of(boss.get("/data/metrics/"))

    assert (warned in page) if warned else ("than the planned" not in page)
    assert ("not as planned" in rows) is bool(warned)


@pytest.mark.parametrize("others", [0, 39])
def test_badge__of_many_metrics__warns_where_all_of_them_together_would_hardly_show_it(
    boss: Client, others: int
) -> None:
    """66 of 1,000 is beyond one metric's interval (64) and within that of forty (72)."""
    checked(metric(), 66)
    for place in range(others):
        metric(f"other-{place}")

    page, rows = text_of(boss.get("/data/metrics/revenue/")), text_of(boss.get("/data/metrics/"))

    assert ("More false alarms than the planned" in page) is ("not as planned" in rows) is (others == 0)


@pytest.mark.parametrize(
    ("definition", "is_share", "cap"),
    [("sum:buy:price:0-6", False, True), ("window:1-2", True, False), ("quantile:90%:sum:buy:price:0-6", False, False)],
)
@pytest.mark.parametrize("alarms", [20, 150])
def test_warning__a_cap__is_advised_where_one_can_help(definition: str, is_share: bool, cap: bool, alarms: int) -> None:
    rate = Interval(alarms / 1000, 0.0, 1.0, 0.95, "wilson-interval")
    badge = FalseAlarms(alarms, 1_000, 0, 2_400, rate, 0.05)
    said = badge_warning(CheckReport(definition, is_share, "signup", None, 2_400, (), badge, 2_400, 1_000, 1), 40)

    assert ("Give it a cap" in said) is cap
    assert ("A cap doesn't help here" in said) is not cap


def test_list__by_text_tag_and_state__shows_what_was_asked(boss: Client) -> None:
    certified("revenue", tags=("money", "핵심"))
    metric("visits", "active_days:0-6", tags=("use",), name_ko="방문")

    def keys(query: str) -> list[str]:
        page = lxml.html.fromstring(boss.get(f"/data/metrics/{query}").content.decode())
        return [str(one.text_content()) for one in page.xpath("//*[@id='rows']//code")]

    assert keys("") == ["revenue", "visits"]
    assert keys("?q=방문") == ["visits"]
    assert keys("?q=핵심") == ["revenue"]
    assert keys("?tag=핵심") == ["revenue"]
    assert keys("?tag=핵") == []
    assert keys("?state=draft") == ["visits"]
    assert keys("?q=%00REV&state=nonsense") == ["revenue"]


def test_actions__by_people__certify_deprecate_and_take_up_again(boss: Client) -> None:
    metric()

    def state() -> str:
        return Metric.objects.get().status

    boss.post("/data/metrics/revenue/certify/", {"version": "7"})
    assert state() == "draft"
    boss.post("/data/metrics/revenue/certify/", {"version": "1"})
    assert state() == "certified"
    assert Metric.objects.get().current.certified_by == User.objects.get()
    boss.post("/data/metrics/revenue/deprecate/")
    assert state() == "deprecated"
    boss.post("/data/metrics/revenue/take-up/")
    assert state() == "draft"
    assert boss.post("/data/metrics/nothing/deprecate/").status_code == 404
    assert boss.get("/data/metrics/revenue/deprecate/").status_code == 405


def test_change__of_words_alone__is_no_version(boss: Client) -> None:
    certified(definition="active_days:0-6")

    boss.post("/data/metrics/revenue/change/", {**FORM, "description": "What users pay."})

    row = Metric.objects.get()
    assert (row.version, row.status, row.description) == (1, "certified", "What users pay.")


def test_pickers__offer_metrics_that_may_be_picked_with_certified_ones_first(boss: Client) -> None:
    metric("a-draft")
    certified("sure", tags=("money",))
    certified("gone")
    save_metrics.deprecate(key="gone")

    def values(url: str) -> list[str]:
        page = lxml.html.fromstring(f"<ul>{boss.get(url).content.decode()}</ul>")
        return [one.get("data-value") for one in page.xpath("//*[@role='option']")]

    assert values("/pick/metric/") == ["metric:sure", "metric:a-draft"]
    assert values("/pick/metric/?q=MONEY") == ["metric:sure"]
    assert "metric:sure" in values("/pick/outcome/?q=sure")
    chips = boss.get("/pick/chips/", {"of": "outcome", "lines": "metric:sure\nmetric:gone@1\nmetric:nothing"})
    assert "Sure, version 1 (certified)" in text_of(chips)
    assert "Gone, version 1 (deprecated)" in text_of(chips)
    assert "can&#x27;t be read" in chips.content.decode()


def test_check__sql_metric__page_says_how_many_have_a_row(boss: Client) -> None:
    row = metric("latency", "active_days:0-6")
    checked(row, rows=600)

    shown = text_of(boss.get("/data/metrics/latency/"))

    assert "has a row for 25.0% of these users (23.3% to 26.8%)" in shown.replace("\N{NO-BREAK SPACE}", " ")


def test_check__of_version_04__has_no_rows(boss: Client) -> None:
    row = metric("days", "active_days:0-6")
    check = checked(row)
    assert check.payload is not None
    del check.payload["rows"]
    check.save()

    assert "has a row for" not in text_of(boss.get("/data/metrics/days/"))
