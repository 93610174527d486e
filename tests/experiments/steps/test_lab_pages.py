"""A lab in the pages: made from a moment, its plan, checklist and connection; buttons that put its nudges right."""

import re
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aha import made_names
from aha.models import AhaMoment
from experiments.models import Assignment, Experiment
from experiments.pages.quick_fixes import OF_NUDGES, needs_of
from experiments.plan import drafts, moves
from experiments.plan.lifecycle import Action
from experiments.plan.record import PlannedOther
from experiments.plan.registration import RECORD, text_of
from experiments.plan.stored import plan_of
from experiments.plan.templates import save_as_template
from experiments.plan.warnings import Facts, cautions
from experiments.plan_page.known_numbers import known_of
from experiments.plan_page.plan_summary import nudge_lines
from experiments.plan_page.review_checks import filled
from experiments.status import connection, overview
from runs.site_zone import site_date
from tests.experiments.make import draft
from tests.experiments.plan.lab_plans import lab_draft, row
from tests.experiments.steps.test_steps import step
from tests.experiments.stored import MOMENT

pytestmark = pytest.mark.django_db
CHAT = PlannedOther("chat", 2, 0.0, 0.1, "promise")


@pytest.fixture(autouse=True)
def no_cache() -> None:
    cache.clear()


def text(page: Any) -> str:
    return unescape(page.content.decode())


def new(moment: AhaMoment | None = None) -> str:
    return f"{reverse('experiments:new_plan')}?kind=lab" + (f"&moment={moment.key}" if moment else "")


def test_new_lab__of_a_moment__is_a_draft_with_nudges(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "proposed_others", lambda *_: (CHAT,))
    moment = AhaMoment.objects.create(**MOMENT)
    page = admin_client.get(new(moment))
    form = page.context["form"]

    answer = admin_client.post(
        new(moment), {name: form[name].value() or "" for name in ("name", "hypothesis", "key")} | {"moment": moment.pk}
    )

    lab = Experiment.objects.get()
    assert (lab.kind, lab.title, lab.key) == ("lab", "3 friends within 7 days lab", "friends-lab")
    assert [nudge["behaviour"] for nudge in lab.nudges] == ["friend_add", "chat"]
    assert answer["Location"].startswith(f"/experiments/{lab.key}/plan/")
    assert lab.hypothesis == made_names.new_hypothesis(moment, lab=True)
    assert "two to eight nudges" in text(page)
    assert 'name="nudges-1-behaviour"' in text(admin_client.get(step(lab, "variants")))


def test_new_lab__without_a_moment__is_asked_for_one(admin_client: Client) -> None:
    page = admin_client.post(new(), {"name": "Lab", "hypothesis": "It helps.", "key": "", "moment": ""})

    assert list(page.context["form"].errors) == ["moment"]
    assert page.context["form"]["moment"].mends == []  # a test's plan may go on without one, a lab's new one can't
    assert not Experiment.objects.exists()


def test_new_lab__without_a_name__is_offered_that_of_a_lab(admin_client: Client) -> None:
    moment = AhaMoment.objects.create(**MOMENT)
    given = {"name": "", "hypothesis": "It helps.", "key": ""}

    offered = [
        admin_client.post(new(), {**given, "moment": pk}).context["form"]["name"].mends[0].label
        for pk in ("", moment.pk)
    ]

    assert offered == ["Use New lab", "Use 3 friends within 7 days lab"]


def running_lab(count: int, **fields: Any) -> Experiment:
    """A lab under way, two exposed users and one assigned user of each set of its nudges."""
    lab = lab_draft("lab", *(row(f"n{at}", f"act{at}", name=f"Nudge {at}") for at in range(count)), **fields)
    Experiment.objects.filter(pk=lab.pk).update(status="running", started_at=timezone.now())
    lab.refresh_from_db()
    Assignment.objects.bulk_create(
        Assignment(
            unit=f"{arm.key}-{one}",
            experiment=lab,
            variant=arm,
            bucket=1,
            assigned_at=timezone.now(),
            exposed_at=timezone.now() if one else None,
        )
        for arm in lab.variants.all()
        for one in range(3)
    )
    return lab


@pytest.mark.parametrize(("most", "per_nudge"), [(None, (0.5, 384, 256, 256)), (1, (1_111 / 10_000, 3, 2, 2))])
def test_standing__of_a_lab__counts_users_by_nudge(most: int | None, per_nudge: tuple[float, int, int, int]) -> None:
    at = overview.standing(running_lab(8, most_nudges=most))

    assert [arm.name for arm in at.arms] == [f"Nudge {place}" for place in range(8)]
    assert {(arm.assigned, arm.exposed, arm.without) for arm in at.arms} == {per_nudge[1:]}
    assert [arm.weight for arm in at.arms] == pytest.approx([per_nudge[0]] * 8, abs=1e-3)
    assert at.exposed == 2 * at.experiment.variants.count()


def test_waiting__of_a_lab__has_a_row_for_each_nudge_and_none_for_its_sets(admin_client: Client) -> None:
    lab = running_lab(3)

    page = text(admin_client.get(reverse("experiments:report", args=[lab.key])))

    rows = [re.findall(r"<t[dh][^>]*>([^<]+)</t[dh]>", one) for one in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    assert ["Nudge 0", "50%", "12", "8", "8"] in rows
    assert "16 users are exposed in all." in page
    assert "n0.n1" not in page


def test_connection__of_a_balanced_lab__says_users_with_and_without_each_nudge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BALANCED_FROM", 1)
    lab = running_lab(2)

    ticks = {tick.code: tick for tick in connection.checks(lab, overview.standing(lab), ask=False)}

    assert ticks["balanced"].said == (
        "The exposed users are split as planned: Nudge 0: 4 with it, 4 without it; Nudge 1: 4 with it, 4 without it."
    )


def test_tester__of_a_lab__gets_the_nudges_that_are_ticked(admin_client: Client) -> None:
    lab = running_lab(8)
    page, testers = reverse("experiments:setup", args=[lab.key]), reverse("experiments:testers", args=[lab.key])

    admin_client.post(testers, {"unit": "qa-1", "rule": "", "variant": ["n3", "n1"]})
    admin_client.post(testers, {"unit": "qa-2", "rule": ""})

    assert [(one.unit, one.variant.key) for one in lab.overrides.all()] == [("qa-1", "n1.n3"), ("qa-2", "none")]
    shown = text(admin_client.get(page))
    assert shown.count('type="checkbox" name="variant"') == 8
    assert "Nudge 1 + Nudge 3" in shown
    assert "no nudge" in shown


def test_tester__of_a_lab__is_refused_more_nudges_than_users_get(admin_client: Client) -> None:
    lab = running_lab(3, most_nudges=1)

    page = admin_client.post(
        reverse("experiments:testers", args=[lab.key]), {"unit": "qa", "rule": "", "variant": ["n0", "n1"]}
    )

    assert "No user of this lab gets these nudges together: untick some." in text(page)
    assert not lab.overrides.exists()


def test_override__of_a_lab_in_the_admin__is_chosen_in_words(admin_client: Client) -> None:
    lab = lab_draft("lab", *NAMED)

    page = text(admin_client.get(reverse("admin:experiments_experiment_change", args=[lab.pk])))

    assert ">Friends banner + chat</option>" in page


def test_steps__of_a_lab__say_nudges_where_a_test_has_groups(admin_client: Client) -> None:
    lab, test = lab_draft(), draft("test")
    drafts.update_draft(key=lab.key, why=f"{drafts.STEP_SAVED}variants")

    pages = {
        where: text(admin_client.get(address))
        for where, address in {
            "new": new(),
            "step": step(lab, "audience"),
            "overview": reverse("experiments:report", args=[lab.key]),
            "history": reverse("experiments:history", args=[lab.key]),
        }.items()
    }

    assert {where for where, page in pages.items() if "Nudge and groups" in page} == set()
    assert "step saved: Nudges" in pages["history"]
    assert "Nudge and groups" in text(admin_client.get(step(test, "audience")))


def test_new_lab__is_offered__where_people_begin(admin_client: Client) -> None:
    moment = AhaMoment.objects.create(**MOMENT)

    assert 'kind=lab"' in text(admin_client.get(reverse("experiments:list")))
    assert f"kind=lab&moment={moment.key}" in text(admin_client.get(reverse("aha:moment", args=[moment.key])))


def test_templates__of_labs__are_offered_for_labs_alone(admin_client: Client) -> None:
    save_as_template(experiment=lab_draft(), key="of-labs", name="Of labs")
    save_as_template(experiment=draft("test"), key="of-tests", name="Of tests")

    lab, test = text(admin_client.get(new())), text(admin_client.get(reverse("experiments:new_plan")))

    assert ("Of labs" in lab, "Of tests" in lab) == (True, False)
    assert ("Of labs" in test, "Of tests" in test) == (False, True)
    assert "kind=lab&template=of-labs" in lab


NAMED = (
    row("pals", "friend_add", 3, name="Friends banner", words="A banner.", share=4_000),
    row("chat", "chat", words="A hint."),
)


def test_plan__of_a_lab__has_its_nudges_and_never_its_sets(admin_client: Client) -> None:
    lab = lab_draft("lab", *NAMED, *(row(f"n{at}", f"act{at}") for at in range(6)))

    lines = dict(nudge_lines(lab))
    assert lines["Friends banner"] == "leads to friend_add ≥ 3, shown to 40%, flag lab.pals\nA banner."
    assert lines["n5"] == "leads to act5, shown to 50%, flag lab.n5"
    assert lines["Sets that a user may draw"] == "256, from none of the nudges to all of them"
    for page in (admin_client.get(reverse("experiments:plan", args=["lab"])), admin_client.get(step(lab, "review"))):
        assert "lab.pals" in text(page)
        assert "pals.chat" not in text(page).replace("lab.pals", "")
    plan = text(admin_client.get(reverse("experiments:plan", args=["lab"])))
    assert "Each nudge is compared with all users without it." in plan
    assert "None beside those that the nudges lead to" in plan
    assert "compared with the control" not in plan
    registered = text_of(plan_of(lab)).partition(RECORD)[0]
    assert "the 256 sets of the nudges" in registered
    assert '"Friends banner"' in registered
    assert "pals.chat" not in registered


def test_review__of_a_lab__asks_which_behaviour_and_says_that_they_share_the_error_rate(admin_client: Client) -> None:
    lab = lab_draft("lab", *NAMED)

    review, audience = (text(admin_client.get(step(lab, name))) for name in ("review", "audience"))

    assert "Which of these behaviours cause this outcome: friend_add ≥ 3, chat? Retained" in review
    assert "The behaviours, which are read together, share it by Holm's method." in review
    assert "Draw whole clusters" not in audience  # a lab draws users
    assert "Draw whole clusters" in text(admin_client.get(step(draft("test"), "audience")))


def test_preview__of_a_lab__says_that_there_is_none_and_nothing_leads_there(admin_client: Client) -> None:
    lab = lab_draft("lab", *NAMED)
    address = reverse("experiments:preview", args=[lab.key])

    page = text(admin_client.get(address))

    assert "There is no preview of a lab's report." in page
    assert address not in text(admin_client.get(step(lab, "review")))
    assert reverse("experiments:preview", args=["test"]) in text(admin_client.get(step(draft("test"), "review")))


def test_sets__of_at_most_so_many__are_said() -> None:
    lab = lab_draft("lab", *NAMED, row("shop", "shop"), most_nudges=1)

    lines = dict(nudge_lines(lab))

    assert lines["Friends banner"].startswith("leads to friend_add ≥ 3, shown to 25%,")
    assert lines["Sets that a user may draw"].startswith("4, from none of the nudges to 1 at once")


def test_checklist__of_a_lab__knows_that_it_has_no_placebo_and_measures_its_nudges() -> None:
    lab = lab_draft("lab", *NAMED)

    checks = {check.code: check for check in filled(lab, known_of(lab, ask=False))}

    assert (checks["placebo"].state.value, checks["placebo"].facts["nudges"]) == ("warn", 2)
    assert (checks["others"].state.value, checks["others"].facts["n"]) == ("ok", 1)


def test_cautions__of_a_lab__are_about_its_nudges() -> None:
    facts = Facts(site_date(), reach=0.89, events=frozenset({"friend_add"}))

    def codes(*nudges: dict[str, Any], key: str) -> list[str]:
        found = cautions(plan_of(lab_draft(key, *nudges)), facts)
        return [problem.code for problem in found if problem.step in ("variants", "hypothesis")]

    assert codes(*NAMED, key="said") == ["unknown_other"]
    silent = (NAMED[0], row("pals2", "friend_add", 3))
    assert codes(*silent, key="silent") == ["nudge_without_words"]
    assert codes(NAMED[0] | {"take_up": 0.12}, NAMED[1], key="beyond") == ["unknown_other", "take_up_beyond"]


WRONG: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "bad_nudge_key": ({}, [NAMED[0], row("Chat hint!", "chat", words="A hint.")]),
    "repeated_nudge": ({}, [NAMED[0], NAMED[1] | {"key": "pals"}]),
    "nudge_share": ({}, [NAMED[0] | {"share": 1_000}, NAMED[1]]),
    "nudge_take_up": ({}, [NAMED[0] | {"take_up": 0.0}, NAMED[1]]),
    "nudge_spill": ({}, [NAMED[0] | {"spill": 2.0}, NAMED[1]]),
    "nothing_leads_there": ({}, [row("shop", "shop", words="A sale."), NAMED[1]]),
    "bad_most_nudges": ({"most_nudges": 3}, [*NAMED]),
    "too_few_at_once": ({"most_nudges": 1}, [*NAMED, *(row(f"n{at}", f"a{at}", words="w") for at in range(3))]),
    "nudge_without_words": ({}, [NAMED[0], row("chat", "chat")]),
    "lab_always_valid": ({"method": "always_valid"}, [*NAMED]),
}


@pytest.mark.parametrize("code", WRONG)
def test_button__beside_what_is_wrong_with_a_lab__puts_it_right(admin_client: Client, code: str) -> None:
    fields, nudges = WRONG[code]
    lab = lab_draft("lab", *nudges, **fields)
    need = next(one for one in needs_of(lab, known_of(lab, ask=False)) if one.code == code)
    assert need.mends, need
    page = admin_client.get(step(lab, need.step))
    form = page.context["form"]
    sent: dict[str, Any] = {name: form[name].value() or "" for name in form.fields if name not in ("nudges", "looks")}
    if "nudges" in form.fields:
        widget = form["nudges"]
        rows = widget.field.widget.get_context(widget.html_name, widget.value(), {})["rows"]
        sent["nudges-rows"] = str(len(rows))
        sent |= {f"{one.prefix}-{name}": str(one[name].value() or "") for one in rows for name in one.fields}

    admin_client.post(step(lab, need.step), {**sent, "looks-rows": "0", "mend": need.mends[0].value})

    lab = Experiment.objects.get()
    assert lab.version == 2
    assert code not in {one.code for one in needs_of(lab, known_of(lab, ask=False))}


def test_problems__of_a_lab__have_buttons_or_only_a_person_knows() -> None:
    assert {*WRONG} <= OF_NUDGES
    assert OF_NUDGES - {*WRONG} == {
        "nudge_count", "nudge_times", "too_many_beside", "lab_clusters", "lab_predicted"
    }  # fmt: skip


def test_connection__of_a_lab__shows_the_flags_of_its_nudges(admin_client: Client) -> None:
    lab = lab_draft("lab", *NAMED)
    moves.move(key="lab", action=Action.START, by=None)

    page = text(admin_client.get(reverse("experiments:setup", args=[lab.key])))

    assert "<code>lab.pals</code>" in page
    assert "<code>lab.chat</code>" in page
    assert '"lab.pals", False' in page or '"lab.pals", false' in page
    assert "a flag of its own" in page
