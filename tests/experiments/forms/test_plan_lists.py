"""Lists of a plan other than metrics, and names that are picked: what a step shows, takes, and stores."""

import pytest
from django.test import Client

from events.models import Source
from events.pickers.rows import row_values
from experiments.models import Experiment
from tests.experiments.make import draft
from tests.experiments.steps.test_steps import AUDIENCE, FINE, PLAN, step

pytestmark = pytest.mark.django_db


def test_saturations__rows_of_two_shares__are_stored_in_steps(admin_client: Client) -> None:
    row = draft("exp")
    shares = [("0", "33.4"), ("40", "33.3"), ("80 %", "33,3")]
    rows = [{"nudged": nudged, "clusters": clusters} for nudged, clusters in shares]

    admin_client.post(step(row, "audience"), {**AUDIENCE, "cluster": "guild", **row_values("saturations", rows)})
    page = admin_client.get(step(row, "audience")).content.decode()

    row.refresh_from_db()
    assert (row.cluster, row.saturations) == ("guild", [[0, 3_340], [4_000, 3_330], [8_000, 3_330]])
    assert 'name="saturations-1-nudged" value="40"' in page
    assert 'data-pick="/pick/trait/"' in page  # the cluster is searched among traits


@pytest.mark.parametrize(
    ("given", "at"),
    [({"nudged": "lots", "clusters": "30"}, "nudged"), ({"nudged": "20", "clusters": ""}, "clusters"),
     ({"nudged": "101", "clusters": "30"}, "nudged")],
)  # fmt: skip
def test_saturation__that_is_no_share__is_said_at_its_row(admin_client: Client, given: dict[str, str], at: str) -> None:
    row = draft("exp", saturations=[])

    page = admin_client.post(step(row, "audience"), {**AUDIENCE, **row_values("saturations", [given])})

    (wrong,) = page.context["form"]["saturations"].value()
    assert list(wrong.errors) == [at]
    row.refresh_from_db()
    assert row.saturations == []


def test_sources__are_boxes_to_tick__and_a_deleted_one_is_there_to_be_unticked(admin_client: Client) -> None:
    app, site = (Source.objects.create(name=name) for name in ("app", "site"))
    row = draft("exp", sources=[app.pk])
    Experiment.objects.update(sources=[app.pk, 999])

    page = admin_client.get(step(row, "audience")).content.decode()
    kept = admin_client.post(step(row, "audience"), {**AUDIENCE, "sources": [str(site.pk), "999"]})
    admin_client.post(step(row, "audience"), {**AUDIENCE, "sources": [str(site.pk)]})

    row.refresh_from_db()
    assert "source 999, which is deleted" in page
    assert "There is no source 999." in kept.content.decode()
    assert row.sources == [site.pk]


def test_covariates__are_picked_among_the_properties_of_the_signup_event(admin_client: Client) -> None:
    row = draft("exp")
    given = {"first": "on_day:7", "second": "", **FINE}

    admin_client.post(
        step(row, "outcomes"), {**given, **row_values("covariates", [{"name": "country"}, {"name": "platform"}])}
    )
    page = admin_client.get(step(row, "outcomes")).content.decode()

    row.refresh_from_db()
    assert row.covariates == ["country", "platform"]
    assert page.count('data-pick="/pick/property/" data-of="id_signup_event"') == 3  # two rows and the next one
    assert 'data-pick="/pick/start/"' in page


def test_analyses__a_mistake_of_all_rows__is_said_below_them(admin_client: Client) -> None:
    row = draft("exp")
    looks = row_values("looks", [{"share": "80"}, {"share": "40"}])

    page = admin_client.post(step(row, "plan"), {**PLAN, "method": "group_sequential", **looks}, follow=True)

    (need,) = [one for one in page.context["needs_here"] if one.code == "bad_looks"]
    assert need.field == "looks"
    assert need.mends[0].changes == {"looks-rows": "0"}


@pytest.mark.parametrize("name", ["outcomes", "audience", "plan"])
def test_steps__have_no_field_that_asks_for_a_grammar(admin_client: Client, name: str) -> None:
    page = admin_client.get(step(draft("exp"), name)).content.decode()

    for grammar in ("One a line", "a line:", "commas between", " | higher", "0: 34"):
        assert grammar not in page
