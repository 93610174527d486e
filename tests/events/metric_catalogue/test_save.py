"""Versions of metrics, and who may say that they can be trusted."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User

from events.catalogue import save_metrics
from events.metrics.facts import About, Facts, checked, reference
from events.models import Metric
from runs.refusals import Refused
from tests.events.metric_catalogue.make import certified, metric

pytestmark = pytest.mark.django_db
FACTS = Facts("sum:buy:price:0-6", "99.9%", "higher", 0.5)


def people(*names: str) -> list[User]:
    return [User.objects.create_superuser(name) for name in names]


def test_change__another_definition__is_a_new_version_and_a_draft_and_the_old_one_stays() -> None:
    row = certified()
    before = row.current

    after = save_metrics.change_metric(
        key="revenue", facts=replace(before.facts, definition="sum:buy:price:0-13"), why="14 days"
    )

    assert (after.version, after.status) == (2, Metric.Status.DRAFT)
    assert [(one.number, one.definition, one.why) for one in after.versions.all()] == [
        (2, "sum:buy:price:0-13", "14 days"),
        (1, "sum:buy:price:0-6", ""),
    ]
    assert after.versions.get(number=1).certified_at is not None
    assert after.versions.get(number=2).certified_at is None


@pytest.mark.parametrize(
    "change", [{"definition": "count:buy:0-6"}, {"cap": "99%"}, {"cap": ""}, {"direction": "lower"}, {"margin": None}]
)
def test_facts__each_of_them__has_a_hash_and_a_version_of_its_own(change: dict[str, object]) -> None:
    other = replace(FACTS, **change)  # type: ignore[arg-type]
    row = metric(cap="99.9%", direction="higher", margin=0.5)

    assert other.hash != FACTS.hash
    assert save_metrics.change_metric(key=row.key, facts=other).version == 2


def test_change__the_same_definition_written_otherwise_or_words_alone__is_no_version() -> None:
    row = certified(definition="min_days:14-20:1")

    save_metrics.change_metric(
        key=row.key, facts=Facts(" min_days:14-20:1 "), about=About("Money", "돈", tags=("B", "a", "b "))
    )

    row.refresh_from_db()
    assert (row.version, row.status, row.name_ko, row.tag_list) == (1, Metric.Status.CERTIFIED, "돈", ["a", "b"])
    assert row.history.count() == 4  # made, its version, certified, words


def test_certify__by_the_author__is_refused_only_while_somebody_else_could() -> None:
    (ada,) = people("ada")
    metric(by=ada)
    assert save_metrics.certify(key="revenue", version=1, by=ada).status == Metric.Status.CERTIFIED

    (ben,) = people("ben")
    metric("margin", by=ada)
    with pytest.raises(Refused, match="somebody else certifies it"):
        save_metrics.certify(key="margin", version=1, by=ada)
    found = save_metrics.certify(key="margin", version=1, by=ben)

    assert (found.current.certified_by, found.status) == (ben, Metric.Status.CERTIFIED)


def test_certify__a_version_that_isnt_the_newest__is_refused() -> None:
    metric()
    save_metrics.change_metric(key="revenue", facts=Facts("count:buy:0-6"))

    with pytest.raises(Refused, match="take version 2"):
        save_metrics.certify(key="revenue", version=1)


def test_deprecated__is_not_certified_but_taken_up_again_first() -> None:
    certified()
    save_metrics.deprecate(key="revenue")
    with pytest.raises(Refused, match="Take it up again"):
        save_metrics.certify(key="revenue", version=1)

    found = save_metrics.take_up_again(key="revenue")

    assert (found.status, found.version, found.current.certified_at) == (Metric.Status.DRAFT, 1, None)


@pytest.mark.parametrize(
    ("facts", "at"),
    [
        (Facts("nonsense"), "definition"),
        (Facts("unbounded:14"), "definition"),
        (Facts("window:14-20", cap="99%"), "cap"),
        (Facts("sum:buy:price:0-6", cap="0"), "cap"),
        (Facts("sum:buy:price:0-6", cap="100%"), "cap"),
        (Facts("sum:buy:price:0-6", cap="9:sum"), "cap"),
        (Facts("capped:9:sum:buy:price:0-6", cap="9"), "cap"),
        (Facts("sum:buy:price:0-6 / count:buy:0-6", cap="9"), "cap"),
        (Facts("sum:buy:price:0-6", direction="up"), "direction"),
        (Facts("sum:buy:price:0-6", margin=0.0), "margin"),
        (Facts("sum:buy:price:0-6", margin=float("nan")), "margin"),
        (Facts(f"count:{'b' * 4_200}:0-6"), "definition"),
    ],
)
def test_checked__what_no_experiment_could_judge__is_refused_at_its_field(facts: Facts, at: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(facts)

    assert caught.value.at == at


def test_line__of_a_capped_one__is_what_a_plan_keeps() -> None:
    assert FACTS.line == "capped:99.9%:sum:buy:price:0-6"
    assert replace(FACTS, cap="100").line == "capped:100:sum:buy:price:0-6"
    assert replace(FACTS, cap="").line == "sum:buy:price:0-6"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metric:revenue", ("revenue", None)),
        (" metric:a.b-c_1@12 ", ("a.b-c_1", 12)),
        ("metric:revenue@0", None),
        ("metric:Revenue", None),
        ("count:metric:0-6", None),
        ("metric:", None),
    ],
)
def test_reference__only_of_its_own_form(text: str, found: object) -> None:
    assert reference(text) == found


@pytest.mark.parametrize("key", ["", "Revenue", "매출", "a b", "-a", "a" * 65, "revenue"])
def test_create__a_key_that_is_none_or_taken__is_refused(key: str) -> None:
    metric()

    with pytest.raises(Refused) as caught:
        metric(key)

    assert caught.value.at == "key"
    assert Metric.objects.count() == 1
