"""Templates: what is copied and what isn't, fixed fields at every door, versions, what differs."""

import json
from typing import Any

import pytest
from django.test import Client

from experiments.models import Experiment, PlanTemplate, ReviewAnswer, ReviewRequest, TemplateUse
from experiments.pages.templates import template_of
from experiments.plan import drafts
from experiments.plan.drafts import draft_from_template, release
from experiments.plan.templates import (
    FIXABLE,
    archive_template,
    change_template,
    content_of,
    differences,
    save_as_template,
)
from runs.refusals import Refused
from tests.experiments.api.make import Api
from tests.experiments.make import draft
from tests.experiments.plan.review.people import approved, logged_in, somebody, two

pytestmark = pytest.mark.django_db
CRASHES = "min_events:crash:0-6:1"


def template(**options: Any) -> PlanTemplate:
    source = draft(
        "source",
        guardrail_metrics=[CRASHES],
        guardrail_rules={CRASHES: {"direction": "lower", "margin": 0.01}},
        audience=[{"segment_key": None, "coverage": 4_000}],
        alpha=0.1,
        nudge="A banner.",
    )
    return save_as_template(experiment=source, key="banner", name="Banner", name_ko="배너", **options)


def test_draft__of_a_template__has_its_content_and_an_identity_of_its_own() -> None:
    made = draft_from_template(template=template(), name="Spring banner")
    source = Experiment.objects.get(key="source")

    assert differences(content_of(source), content_of(made)) == []
    assert (made.name, made.key, made.flag_key, made.status) == ("Spring banner", "banner", "banner", "draft")
    assert (made.planned_end, made.started_at, made.alpha) == (None, None, 0.1)
    assert made.seed != source.seed
    assert list(made.variants.values_list("key", "weight")) == [("control", 5_000), ("banner", 5_000)]
    assert made.audience.get().coverage == 4_000
    use = TemplateUse.objects.get()
    assert (use.template.key, use.version, use.experiment) == ("banner", 1, made)


def test_approval__of_the_source__is_not_copied() -> None:
    author, reviewer = two()
    kept = save_as_template(experiment=approved(author, reviewer), key="k", name="K")

    made = draft_from_template(template=kept, name="Next", by=author)

    assert not ReviewAnswer.objects.filter(experiment=made).exists()
    assert not ReviewRequest.objects.filter(experiment=made).exists()


def test_not_copied__fields__stand_in_no_template() -> None:
    assert not {"key", "flag_key", "name", "seed", "hash_version", "planned_end", "holdout", "status"} & set(FIXABLE)
    assert set(template().content["fields"]) | {"variants", "audience"} == set(FIXABLE)


def test_fixed__fields__are_refused_and_the_rest_is_free() -> None:
    made = draft_from_template(template=template(fixed=["alpha", "variants"]), name="Next")
    arms = [{"key": "control", "value": "none", "weight": 9_000}, {"key": "b", "value": "b", "weight": 1_000}]

    with pytest.raises(Refused, match="The template ‘Banner’ fixes Alpha"):
        drafts.update_draft(key=made.key, alpha=0.05)
    with pytest.raises(Refused, match="fixes Groups"):
        drafts.update_draft(key=made.key, variants=arms)
    drafts.update_draft(key=made.key, alpha=0.1, power=0.9)

    row = Experiment.objects.get(key=made.key)
    assert (row.alpha, row.power, row.variants.count()) == (0.1, 0.9, 2)
    assert row.variants.get(position=0).weight == 5_000, "a refused change leaves nothing behind"
    found = template_of(row)
    assert found is not None
    assert found.lines == [("Power", "0.8", "0.9")]
    assert found.fixed == ["Alpha", "Groups"]


def test_fixed__over_rest_and_on_the_page__is_refused_with_a_sentence() -> None:
    made = draft_from_template(template=template(fixed=["hypothesis"]), name="Next")
    answer = Api()("PATCH", made.key, {"hypothesis": "Another."})
    assert (answer.status_code, "fixes Hypothesis" in answer.json()["detail"]) == (409, True)

    page = logged_in(somebody("ann")).post(
        f"/experiments/{made.key}/plan/hypothesis/", {"name": "Next", "hypothesis": "Another.", "moment": ""}
    )
    assert "fixes Hypothesis" in page.content.decode()
    assert Experiment.objects.get(key=made.key).hypothesis == "It helps."


def test_release__lets_a_draft_change_and_stands_in_its_history() -> None:
    made = draft_from_template(template=template(fixed=["alpha"]), name="Next")
    with pytest.raises(Refused, match="No template fixes"):
        release(key="source")

    release(key=made.key, by=somebody("ann"))
    drafts.update_draft(key=made.key, alpha=0.05)

    assert Experiment.objects.get(key=made.key).alpha == 0.05
    assert made.history.filter(history_change_reason="template released").exists()
    page = logged_in(somebody("ben")).get(f"/experiments/{made.key}/history/").content.decode()
    assert "released from its template" in page


def test_change__makes_a_version_and_leaves_drafts_alone() -> None:
    kept = template()
    made = draft_from_template(template=kept, name="Next")
    change_template(template=kept, name="Banner")
    assert PlanTemplate.objects.get().version == 1, "nothing changed, so there is no version"

    other = draft("other", alpha=0.01)
    change_template(template=kept, content_from=other, fixed=["alpha"], description="Small ones.")

    row = PlanTemplate.objects.get()
    assert (row.version, row.content["fields"]["alpha"], row.fixed) == (2, 0.01, ["alpha"])
    assert list(row.history.order_by("history_id").values_list("version", flat=True)) == [1, 2]
    use = TemplateUse.objects.get()
    assert (use.version, use.content["fields"]["alpha"], use.fixed) == (1, 0.1, [])
    drafts.update_draft(key=made.key, alpha=0.2)
    assert draft_from_template(template=row, name="Third").alpha == 0.01


def test_archived__template__makes_no_draft_until_it_is_brought_back() -> None:
    kept = archive_template(template=template(), archived=True)
    with pytest.raises(Refused, match="is archived"):
        draft_from_template(template=kept, name="Next")
    with pytest.raises(Refused, match="bring it back first"):
        change_template(template=kept, name="B")

    assert draft_from_template(template=archive_template(template=kept, archived=False), name="Next").name == "Next"


def test_save__with_a_key_that_exists_or_a_field_that_cant_be_fixed__is_refused() -> None:
    template()
    source = Experiment.objects.get(key="source")
    with pytest.raises(Refused, match="key"):
        save_as_template(experiment=source, key="banner", name="Again")
    with pytest.raises(Refused, match="can't fix 'seed'"):
        save_as_template(experiment=source, key="b2", name="Again", fixed=["seed"])


def test_template__whose_moment_is_gone__says_so() -> None:
    kept = template()
    kept.content["fields"]["moment"] = "gone"

    with pytest.raises(Refused, match="names moment 'gone', which is gone"):
        draft_from_template(template=kept, name="Next")


def test_pages__save_use_change_archive__by_a_pm() -> None:
    draft("source", alpha=0.1)
    pm: Client = logged_in(somebody("ann"))
    answer = pm.post("/experiments/source/template/", {"name": "Banner", "name_ko": "배너", "fixed": ["alpha"]})
    assert answer["Location"] == "/experiments/-/templates/banner/"
    assert "배너" in pm.get("/experiments/-/templates/", headers={"accept-language": "ko"}).content.decode()
    assert "?template=banner" in pm.get("/experiments/-/new/").content.decode()

    made = pm.post("/experiments/-/new/?template=banner", {"name": "Spring", "hypothesis": "It helps.", "moment": ""})
    assert made["Location"].startswith("/experiments/spring/plan/")
    row = Experiment.objects.get(key="spring")
    assert (row.alpha, row.flag_key, TemplateUse.objects.get().template.key) == (0.1, "spring", "banner")
    assert "Made from a template" in pm.get("/experiments/spring/plan/").content.decode()

    pm.post("/experiments/-/templates/banner/", {"name": "Banner", "description": "For lobbies."})
    assert PlanTemplate.objects.get().version == 2
    pm.post("/experiments/-/templates/banner/archive/")
    assert "?template=banner" not in pm.get("/experiments/-/new/").content.decode()
    assert "archived" in pm.get("/experiments/-/templates/banner/").content.decode()


def test_rest__from_template_to_draft_and_what_differs() -> None:
    draft("source", alpha=0.1)
    api = Api()
    made = api.ok(
        "POST", "/api/v1/plan-templates", {"experiment": "source", "key": "banner", "name": "B", "fixed": ["alpha"]}
    )
    assert (made["version"], made["content"]["fields"]["alpha"]) == (1, 0.1)
    assert api.ok("PATCH", "/api/v1/plan-templates/banner", {"description": "d"})["version"] == 2
    plan = api.ok("POST", "/api/v1/plan-templates/banner/drafts", {"name": "Next"})
    api.ok("PATCH", plan["key"], {"power": 0.9})

    used = api.ok("GET", f"{plan['key']}/template")
    assert used == {
        "template": "banner",
        "version": 2,
        "fixed": ["alpha"],
        "differences": [{"field": "power", "template": 0.8, "plan": 0.9}],
    }
    assert api.ok("PATCH", f"{plan['key']}/template")["fixed"] == []
    assert api("GET", "source/template").status_code == 404
    assert api.ok("POST", "/api/v1/plan-templates/banner/archive", {})["archived_at"]
    refused = api("POST", "/api/v1/plan-templates/banner/drafts", {"name": "Late"})
    assert (refused.status_code, json.loads(refused.content)["code"] != "") == (409, True)
