"""Display names in behaviours, metrics and their sentences: where a page is built, and nowhere else."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import translation
from django.utils.module_loading import import_string

from events.catalogue import labels
from events.metrics import display_name, parse_behaviour, parse_metric, plain_name
from events.metrics.sentences import sentence
from events.models import EventLabel
from insight_site.middleware import event_names
from reporting.words import as_sent, names_from, shown
from runs.models import Job

NAMES = {("buy", ""): "Purchase", ("buy", "amt"): "amount", ("a:b", ""): "Colon", ("count", ""): "Counting"}


def lookup(event: str, prop: str) -> str:
    return NAMES.get((event, prop), "")


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("buy", "Purchase"),
        ("sell", "sell"),
        ("buy[amt=3]", "Purchase[amount=3]"),
        ("buy[kind=buy]", "Purchase[kind=buy]"),  # a value is no event
        ("buy#amt", "Purchase#amount"),
        ("sell[amt=3]", "sell[amt=3]"),  # another event's property
        (r"a\:b", "Colon"),
        (r"c\:d", "c:d"),
        ("count:buy[amt=3]:0-6", "count:Purchase[amount=3]:0-6"),
        ("sum:buy:amt:0-6", "sum:Purchase:amount:0-6"),
        ("min_events:buy:14-20:3", "min_events:Purchase:14-20:3"),
        ("window:14-20", "window:14-20"),
        ("", ""),
    ],
)
def test_display_name__where_names_are_lent__shows_them(text: str, page: str) -> None:
    with names_from(lookup):
        assert display_name(text) == page
        with as_sent():
            assert display_name(text) == plain_name(text)
    assert display_name(text) == plain_name(text)


def test_sentences__show_display_names() -> None:
    with names_from(lookup):
        behaviour = sentence(parse_behaviour("buy[amt=3]"))
        total = sentence(parse_metric("sum:buy:amt:0-6"))
        retention = sentence(parse_metric("min_events:buy:14-20:3"))

    assert behaviour == "number of Purchase where amount is 3"
    assert "the sum of amount over Purchase" in total
    assert "did Purchase at least 3 times" in retention
    assert sentence(parse_behaviour("buy[amt=3]")) == "number of buy where amt is 3"


def test_shown__without_names__is_the_name_itself() -> None:
    assert (shown("buy"), shown("buy", "amt")) == ("buy", "amt")


@pytest.mark.django_db
def test_labels__two_called_alike__keep_the_name_as_sent_in_brackets() -> None:
    EventLabel.objects.create(event="buy", name_en="Purchase", name_ko="구매")
    EventLabel.objects.create(event="pay", name_en="Purchase", name_ko="결제")

    with translation.override("en"):
        assert (labels.label("buy"), labels.label("pay")) == ("Purchase (buy)", "Purchase (pay)")
    with translation.override("ko"):
        assert labels.label("buy") == "구매"


@pytest.mark.django_db
def test_requests__of_people_lend_names__of_machines_do_not() -> None:
    EventLabel.objects.create(event="signup", name_en="Registration")
    answer = event_names(lambda _request: HttpResponse(shown("signup")))

    told = [answer(RequestFactory().get(path)).content.decode() for path in ("/aha/", "/api/v1/", "/v1/track", "/")]

    assert told == ["Registration", "signup", "signup", "Registration"]
    assert shown("signup") == "signup"  # nothing stays lent after a request


@pytest.mark.django_db
def test_label__renamed__lets_pictures_be_drawn_anew() -> None:
    labels.save_label(EventLabel(event="buy", name_en="Purchase"), renamed=True)
    labels.save_label(EventLabel(event="pay", hidden=True), renamed=False)
    labels.save_label(EventLabel(event="empty"), renamed=False)

    assert EventLabel.objects.count() == 2
    assert [job.task for job in Job.objects.all()] == [labels.FORGET_PICTURES]
    assert callable(import_string(labels.FORGET_PICTURES))
