"""A stored experiment from its log to its verdict: rows that are only added, locks, peeks, consequences."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from aha.models import AhaMoment
from events.simulation import WORLDS, Simulation, draw_arms, events_table, simulate, truth
from experiments import tasks
from experiments.analyse import analyses
from experiments.analyse.analyses import audit_of, create_analysis, run_analysis
from experiments.analyse.codes import Code
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Locked, Opened, State
from experiments.files.analyze import analyze_file
from experiments.models import Analysis, Assignment, Experiment, WebhookDelivery, WebhookEndpoint
from experiments.plan import amend
from experiments.plan.stored import analysed_of, is_intact
from runs.models import Schedule
from runs.refusals import Refused
from stats.instrument.other_behaviours import UnderOthers
from stats.results import computable
from tests.aha.store import store_of
from tests.experiments.make import do, running
from tests.experiments.stored import assign, stored_experiment

pytestmark = pytest.mark.django_db
UNITS = 6_000


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))


@pytest.fixture(scope="module", autouse=True)
def _store(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(world, tmp_path_factory.mktemp("analyses")):
        yield


def done(experiment: Experiment, **options: Any) -> Analysis:
    row = create_analysis(experiment=experiment, **options)
    assert run_analysis(row.pk), Analysis.objects.get(pk=row.pk).reason
    row.refresh_from_db()
    return row


def listener() -> None:
    WebhookEndpoint.objects.create(name="hook", url="https://example.com/", secret="whsec_eA==")


@pytest.mark.slow
def test_final__equals_the_file_analysis_of_the_same_experiment(world: Simulation, tmp_path: Any) -> None:
    import pyarrow.csv as pa_csv

    from experiments.plan.design import Covariate, Design
    from tests.simulated import experiment_table

    pa_csv.write_csv(experiment_table(world), tmp_path / "experiment.csv")
    design = Design(
        variant="variant",
        control="control",
        outcomes=("retained",),
        unit="unit",
        behaviour="reached",
        margin=0.05,
        covariates=tuple(Covariate(name) for name in ("platform", "channel", "country")),
    )
    file = analyze_file(tmp_path / "experiment.csv", design).outcomes[0].comparisons[0]

    row = done(stored_experiment(world))

    readout = READOUT.of(row)
    assert isinstance(readout, AnalysisResult)
    assert isinstance(readout, Opened)
    ours = readout.report.outcomes[0].comparisons[0]
    assert computable(ours.difference)
    assert computable(file.difference)
    assert ours.difference.estimate == pytest.approx(file.difference.estimate, abs=1e-12)
    assert ours.difference.p_value == pytest.approx(file.difference.p_value, rel=1e-9)
    assert ours.encouragement is not None
    assert file.encouragement is not None
    assert ours.encouragement.effect_set.low == pytest.approx(file.encouragement.effect_set.low, rel=1e-9)  # type: ignore[union-attr]
    assert computable(ours.covariate_adjusted)
    assert computable(file.covariate_adjusted)
    assert ours.covariate_adjusted is not None
    assert file.covariate_adjusted is not None
    assert ours.covariate_adjusted.standard_error == pytest.approx(file.covariate_adjusted.standard_error, rel=1e-6)
    assert (row.verdict, row.final) == (str(file.verdict.code), True)
    assert row.as_of is not None
    assert row.seed == 1
    assert len(row.inputs["definition"]) == 64


def chatted(world: Simulation, users: list[str], times: int) -> list[int]:
    """Who chatted so often within 168 hours of the first exposure, from the events one by one."""
    log = events_table(world).select(["user_id", "event", "time"]).to_pandas()
    met = log[log.event == "Experiment Viewed"].groupby("user_id").time.min()
    chats = log[log.event == "chat"].join(met.rename("met"), on="user_id", how="inner")
    chats = chats[(chats.time >= chats.met) & (chats.time < chats.met + timedelta(days=7))]
    done = chats.groupby("user_id").size()
    return [int(done.get(user, 0) >= times) for user in users]


@pytest.mark.slow
def test_final__of_a_plan_with_other_behaviours__measures_them_as_the_file_of_the_same_users_does(
    world: Simulation, tmp_path: Any
) -> None:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    from experiments.plan.design import Design, Other
    from tests.simulated import experiment_table

    table = experiment_table(world)
    did = chatted(world, table["unit"].to_pylist(), 2)
    pa_csv.write_csv(table.append_column("chat", pa.array(did)), tmp_path / "experiment.csv")
    design = Design("variant", "control", ("retained",), unit="unit", behaviour="reached", margin=0.05)
    file = analyze_file(tmp_path / "experiment.csv", replace(design, others=(Other("chat", 0.0, 0.1),)))
    listed = {"behaviour": "chat", "times": 2, "low": 0.0, "high": 0.1, "origin": "promise", "consequence": ""}

    row = done(stored_experiment(world, other_behaviours=[listed]))

    readout = READOUT.of(row)
    assert isinstance(readout, Opened)
    ours, theirs = (report.outcomes[0].comparisons[0].encouragement for report in (readout.report, file))
    assert ours is not None
    assert theirs is not None
    assert 0.05 < sum(did) / len(did) < 0.95
    assert ours.other_moments is not None
    assert ours.other_moments.names == ("chat",)
    one, other = ours.others[0], theirs.others[0]
    assert one.found.moved is other.found.moved
    for name in ("take_up", "low", "high", "p_value", "most"):
        value, wanted = getattr(one.found, name), getattr(other.found, name)
        assert value == (pytest.approx(wanted, rel=1e-9) if computable(wanted) else wanted), name
    assert isinstance(ours.under_others, UnderOthers)
    assert isinstance(theirs.under_others, UnderOthers)
    assert ours.under_others.effect_set.low == pytest.approx(theirs.under_others.effect_set.low, rel=1e-9)
    assert row.verdict == str(file.verdict.code)


@pytest.mark.slow
def test_final__covers_the_truth_and_is_written_back(world: Simulation) -> None:
    experiment = stored_experiment(world)
    listener()

    row = done(experiment)

    moment = AhaMoment.objects.get()
    found = moment.finding
    assert found is not None
    assert found["code"] == row.verdict
    assert found["effect_set"]["low"] <= truth(world)["effect"] <= found["effect_set"]["high"]
    assert found["as_treated"] > 0.3
    assert moment.status in (AhaMoment.Status.CONFIRMED, AhaMoment.Status.INCONCLUSIVE)
    assert [one.type for one in WebhookDelivery.objects.all()] == ["experiment.verdict"]
    body = json.loads(WebhookDelivery.objects.get().body)["data"]
    assert body.pop("decision").keys() == {"code", "ground", "variant"}
    assert body == {
        "experiment": experiment.key,
        "analysis": row.pk,
        "verdict": row.verdict,
        "final": True,
        "estimand": "own",
    }


@pytest.mark.slow
def test_final__freezes(world: Simulation) -> None:
    experiment = stored_experiment(world)
    row = done(experiment)

    with pytest.raises(Refused, match="final analysis is there"):
        create_analysis(experiment=experiment)
    assert Analysis.objects.filter(experiment=experiment, final=True).get() == row
    assert analyses.has_final(experiment)
    assert analyses.request_due() == 0


@pytest.mark.slow
def test_night__one_broken_experiment__does_not_cost_the_others_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = running("broken"), running("whole")
    real = analysed_of
    monkeypatch.setattr(analyses, "analysed_of", lambda row: 1 / 0 if row == broken else real(row))

    assert analyses.request_due() == 1
    assert [row.experiment for row in Analysis.objects.all()] == [whole]


@pytest.mark.slow
def test_running__stays_locked_and_a_peek_is_noted_for_good(world: Simulation) -> None:
    experiment = stored_experiment(world, stopped=False)

    locked, peeked = done(experiment), done(experiment, peek=True)

    before, after = READOUT.of(locked), READOUT.of(peeked)
    assert isinstance(before, AnalysisResult)
    assert isinstance(after, AnalysisResult)
    assert (before.maturity.state, before.maturity.why, locked.verdict) == (State.PENDING, "enrolling", "")
    assert isinstance(before, Locked)
    assert after.maturity.peeked
    assert isinstance(after, Opened)
    assert (peeked.verdict != "", peeked.final) == (True, False)
    later = READOUT.of(done(experiment))
    assert isinstance(later, AnalysisResult)
    assert [look.peeked for look in later.path] == [True]
    assert AhaMoment.objects.get().finding is None


@pytest.mark.slow
def test_always_valid__each_analysis_adds_a_look(world: Simulation) -> None:
    experiment = stored_experiment(world, stopped=False, method="always_valid")

    done(experiment)
    second = READOUT.of(done(experiment))

    assert isinstance(second, AnalysisResult)
    assert len(second.path) == 2
    assert isinstance(second, Opened)
    assert not second.maturity.final


@pytest.mark.slow
def test_not_started__nothing_to_analyse(world: Simulation) -> None:
    from tests.experiments.make import draft

    with pytest.raises(Refused, match="hasn't started"):
        create_analysis(experiment=draft("other"))


@pytest.mark.slow
def test_two_at_once__the_second_is_refused(world: Simulation) -> None:
    experiment = stored_experiment(world)
    create_analysis(experiment=experiment)

    with pytest.raises(Refused, match="waiting or running"):
        create_analysis(experiment=experiment)


@pytest.mark.slow
def test_failure__is_a_row_and_the_last_good_one_stays(world: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = stored_experiment(world, stopped=False, method="always_valid")
    good = done(experiment)
    monkeypatch.setattr("experiments.analyse.analyses.audit_of", lambda _: 1 / 0)

    row = create_analysis(experiment=experiment)

    assert not run_analysis(row.pk)
    row.refresh_from_db()
    assert (row.status, row.payload) == ("failed", None)
    assert "ZeroDivisionError" in row.reason
    assert analyses.latest_analysis(experiment) == good


@pytest.mark.slow
def test_task__twice_or_without_a_row__does_no_harm(world: Simulation) -> None:
    row = done(stored_experiment(world))
    kept = row.payload

    tasks.run_analysis(row.pk)
    tasks.run_analysis(10**9)

    row.refresh_from_db()
    assert row.payload == kept


def test_nightly__asks_for_every_started_experiment_once(world: Simulation) -> None:
    stored_experiment(world)

    assert tasks.request_analyses() == 1
    assert tasks.request_analyses() == 0  # the first one still waits
    assert Schedule.objects.get(task="experiments.tasks.request_analyses").every == "D"


@pytest.mark.slow
def test_assignments__that_are_not_the_draws__are_found(world: Simulation) -> None:
    experiment = stored_experiment(world)
    units = [f"x{number}" for number in range(400)]
    assign(experiment, units, "control")
    listener()

    audit = audit_of(experiment)
    row = done(experiment)

    assert audit.checked == 400
    assert 150 < audit.differ < 250  # half of them drew the other arm
    assert audit.assigned == {"control": 400}
    assert (row.verdict, row.final) == ("INVALID", False)
    do(experiment.key, "conclude")
    assert done(Experiment.objects.get(pk=experiment.pk)).final
    assert AhaMoment.objects.get().status == AhaMoment.Status.INCONCLUSIVE


@pytest.mark.slow
def test_assignments__as_drawn__are_right(world: Simulation) -> None:
    from experiments.serve.assign import evaluate

    experiment = stored_experiment(world, stopped=False)
    Experiment.objects.filter(pk=experiment.pk).update(started_at=timezone.now() - timedelta(days=1))
    for number in range(200):
        evaluate(experiment.flag_key, f"y{number}", {})

    audit = audit_of(experiment)

    assert Assignment.objects.count() == 200
    assert (audit.checked, audit.differ) == (200, 0)


def test_plan__changed_past_the_services__is_not_intact(world: Simulation) -> None:
    experiment = stored_experiment(world, stopped=False)
    assert is_intact(experiment)
    amend.amend(key=experiment.key, why="more power", smallest_effect=0.04)
    assert is_intact(Experiment.objects.get(pk=experiment.pk))
    before = analysed_of(Experiment.objects.get(pk=experiment.pk))

    Experiment.objects.filter(pk=experiment.pk).update(alpha=0.2)

    changed = analysed_of(Experiment.objects.get(pk=experiment.pk))
    assert not changed.history.intact
    assert changed.definition != before.definition
    assert [row.why for row in changed.history.amendments] == ["more power"]


@pytest.mark.slow
def test_plan__once_the_outcome_was_read__how_it_is_judged_is_fixed(world: Simulation) -> None:
    experiment = stored_experiment(world, stopped=False, method="always_valid")
    amend.amend(key=experiment.key, why="before any look", planned_units=7_000)
    done(experiment)

    with pytest.raises(Refused, match="outcome has been read"):
        amend.amend(key=experiment.key, why="after it", planned_units=9_000)
    # It measures the placebo: named larger now, the placebo would seem to leave the behaviour alone.
    with pytest.raises(Refused, match="expected_take_up can't be changed"):
        amend.amend(key=experiment.key, why="after it", expected_take_up=0.01)
    amend.amend(key=experiment.key, why="only words", nudge="a louder banner", planned_units=7_000)


@pytest.mark.slow
def test_lost_exposures__are_invalid_and_alarm_once(tmp_path: Any) -> None:
    sample_ratio = WORLDS["sample_ratio"]
    world = simulate(sample_ratio, 8_000, 2, draw_arms(sample_ratio, 8_000, 2))
    listener()
    with store_of(world, tmp_path):
        experiment = stored_experiment(world, stopped=False, method="always_valid")
        first, second = done(experiment), done(experiment)

    readout = READOUT.of(first)
    assert isinstance(readout, AnalysisResult)
    assert readout.verdict is not None
    assert (readout.verdict.code, readout.verdict.reason) == (Code.INVALID, "srm")
    assert second.verdict == "INVALID"
    kinds = list(WebhookDelivery.objects.order_by("pk").values_list("type", flat=True))
    assert kinds[1:] == ["experiment.sample_ratio", "experiment.verdict"]


@pytest.mark.slow
def test_command__json__is_one_document_without_nan(world: Simulation) -> None:
    stored_experiment(world)
    out, err = StringIO(), StringIO()

    call_command("analyze", "aha-nudge", "--json", stdout=out, stderr=err)

    found = json.loads(out.getvalue())
    assert found["experiment"] == "aha-nudge"
    assert (found["state"], found["final"], found["peeked"]) == ("open", True, False)
    assert found["verdict"]["code"] == found["report"]["verdict"]["code"]
    assert found["report"]["outcomes"][0]["comparisons"][0]["encouragement"]["take_up"]["difference"] > 0.1
    assert "NaN" not in out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ko"])
def test_command__for_people__says_the_verdict_first(world: Simulation, language: str) -> None:
    stored_experiment(world, stopped=False)
    out = StringIO()

    call_command("analyze", "aha-nudge", "--language", language, stdout=out, stderr=StringIO())

    assert ("Results unlock" if language == "en" else "공개됩니다") in out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"), [(["nothing"], "no experiment 'nothing'"), (["aha-nudge"], "final")]
)
def test_command__refused__exit_status_2(world: Simulation, arguments: list[str], sentence: str) -> None:
    done(stored_experiment(world))

    with pytest.raises(CommandError, match=sentence) as refused:
        call_command("analyze", *arguments, stdout=StringIO(), stderr=StringIO())
    assert refused.value.returncode == 2
