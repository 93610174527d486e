"""Whole clusters say nothing about a member's own behaviour; inside partly nudged ones its own effect decides."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aha.evidence.expected_gain import price_of
from aha.evidence.findings import Definition, Why, sort_out
from aha.evidence.store_findings import all_findings
from aha.models import AhaMoment, Finding
from aha.moments.claims import Promised
from aha.moments.promote import record_verdict
from aha.report import moment_page
from experiments.analyse.across.calibration import _trial
from experiments.analyse.analyses import estimand_of, finding_of
from experiments.analyse.codes import Code
from experiments.analyse.comparison.cluster_cells import ClusterData
from experiments.analyse.engine import analyze
from experiments.analyse.export_findings import export_findings_of, findings_of, hand_on_missing
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.draw.bucketing import Saturation
from experiments.models import Experiment
from experiments.plan.design import Design, Kind, Outcome, Units
from experiments.report import first_lines, page
from experiments.report.document import document
from experiments.report.promise_and_finding import contrasts, promise_finding
from experiments.report.stored_document import document as stored_document
from experiments.report.verdict import verdict_sentence
from stats.iv_moments import iv_moments_adjusted
from stats.results import NotComputable, Reason, computable
from tests.aha.evidence.past.make_findings import finding
from tests.experiments.analyse.test_engine_stored_clusters import a_readout
from tests.experiments.make_answers import draw_units, make_cells
from tests.experiments.make_readout import stored
from tests.rates import at_most

OUTCOME = "window:21-27"
MEMBER = "a member's own behaviour"
HALF = (Saturation(0.0, 0.5), Saturation(0.5, 0.5))


def guilds(
    seed: int, *, own: float = 0.0, peers: float = 0.2, clusters: int = 200, size: int = 25, share: float = 1.0
) -> dict[str, Any]:
    """Every second guild has this share nudged; R = .3 + own D + peers (share of friends that did it)."""
    rng = np.random.default_rng(seed)
    n = clusters * size
    cluster = np.repeat(np.arange(clusters), size)
    arm = (rng.random(n) < share * (cluster % 2)).astype(np.int64)
    kind = rng.random(n)
    did = ((kind < 0.2) | ((kind < 0.5) & (arm == 1))).astype(float)
    friends = (np.bincount(cluster, weights=did)[cluster] - did) / (size - 1)
    value = (rng.random(n) < 0.3 + own * did + peers * friends).astype(float)
    drawn = draw_units(n, seed=seed, segment=np.zeros(n, dtype=int))
    found = {**drawn, "cluster": cluster, "arm": arm, "reached": did, "times": 3 * did, "value": value}
    return found if share == 1 else {**found, "saturation_of": (np.arange(clusters) % 2).astype(np.int64)}


def as_file(units: dict[str, Any]) -> Units:
    kept = Outcome("kept", Kind.PROPORTION, units["value"])
    arm, cluster = units["arm"], units["cluster"]
    return Units(("control", "nudge"), arm, (kept,), len(arm), behaviour=units["reached"], cluster=cluster)


FILE = Design("arm", "control", ("kept",), behaviour="did", cluster="guild", margin=0.01)


@pytest.fixture(scope="module")
def whole() -> Opened:
    found: Opened = a_readout(guilds(1, own=0.05, peers=0.4, clusters=120), smallest_effect=0.01)
    return found


@pytest.fixture(scope="module")
def partly() -> Opened:
    found: Opened = a_readout(guilds(1, own=0.3, share=0.5), saturations=HALF, shares={"": (0.75, 0.25)})
    return found


# ── Whole clusters ────────────────────────────────────────────────────────────
def test_file__own_act_worth_nothing__the_verdict_is_about_moving_guilds() -> None:
    report = analyze("guilds", FILE, as_file(guilds(1)))
    [row] = report.outcomes[0].comparisons

    assert (report.verdict.code, report.verdict.reason) == (Code.CAUSES, "whole_clusters")
    assert report.verdict.heading == "Nudging whole clusters causes a gain"
    said = verdict_sentence(report.verdict)
    assert said.startswith("Nudging whole clusters to did raises kept by ")
    assert "friends in the guild" in said
    assert "among the" not in said
    assert "It says nothing about a member's own behaviour." in said
    assert said.endswith("of users.")  # the condition: how much being nudged by itself would have to do
    assert row.encouragement is not None
    assert row.encouragement.warnings[-1] == "whole_clusters"
    assert "compliers_only" not in row.encouragement.warnings
    assert row.encouragement.everybody == NotComputable(Reason.WHOLE_CLUSTERS)
    assert row.encouragement.blind_spot == NotComputable(Reason.WHOLE_CLUSTERS)
    assert document(report)["outcomes"][0]["comparisons"][0]["encouragement"]["estimand"] == "whole_clusters"


def test_file__units_drawn_inside_guilds__is_ones_own_effect() -> None:
    """No guild has one arm: errors stay between guilds, and nothing else changes."""
    units = guilds(2, own=0.4)
    units["arm"] = np.random.default_rng(2).integers(0, 2, len(units["arm"]))
    units["reached"] = np.maximum(units["reached"], units["arm"])
    report = analyze("guilds", FILE, as_file(units))

    assert report.verdict.reason != "whole_clusters"
    assert document(report)["outcomes"][0]["comparisons"][0]["encouragement"]["estimand"] == "own"


def test_file__of_saturations__is_not_ones_own_effect() -> None:
    """Half of the guilds have no nudge: control holds them, and so the comparison holds what friends did."""
    mixed = guilds(3, share=0.5)
    inside = {name: values[mixed["cluster"] % 2 == 1] for name, values in mixed.items() if name != "saturation_of"}

    told = [
        document(analyze("guilds", FILE, as_file(units)))["outcomes"][0]["comparisons"][0]["encouragement"]["estimand"]
        for units in (mixed, inside)
    ]

    assert told == ["whole_clusters", "own"]


def test_stored__whole_guilds__no_word_of_a_members_own_behaviour(whole: Opened) -> None:
    first = first_lines.opening(whole)

    assert whole.whole_clusters == "guild"
    assert (first.code, first.heading) == ("CAUSES", "Nudging whole clusters causes a gain")
    assert "nudging whole clusters to" in first.estimand
    assert "whole clusters" in promise_finding(whole).lower()
    assert contrasts(whole)[-1].label.startswith("Effect per user who did it because of the nudge")
    assert estimand_of(whole) == "whole_clusters"
    waits = NotComputable(Reason.WHOLE_CLUSTERS)
    [through], [acts] = whole.through, whole.by_times
    assert (through.shares, through.levels, through.bounds, through.inequalities) == (waits,) * 4
    assert acts.response == waits
    text = str(stored_document(whole))
    for claim in ("of users who did it because", "for users who did it because", "on users who did it because"):
        assert claim not in text
    assert page.parts(whole)
    assert READOUT.read(READOUT.store(whole)) == whole


def as_04_wrote(readout: AnalysisResult) -> dict[str, Any]:
    """The payload as version 0.4 wrote it: the same numbers, said of the units that the nudge moved."""
    payload = READOUT.store(readout)
    comparison = payload["report"]["outcomes"][0]["comparisons"][0]
    for verdict in (payload["verdict"], payload["report"]["verdict"], comparison["verdict"]):
        verdict["reason"] = "behaviour"
        verdict["details"].pop("cluster", None)
    comparison["encouragement"]["warnings"] = ["as_treated", "compliers_only"]
    for row in payload["saturation"]:
        for name in ("own", "peers", "beside_moved"):
            del row[name]
    return payload


def test_payload_of_04__whole_guilds__is_read_as_what_it_was(whole: Opened) -> None:
    old = READOUT.read(as_04_wrote(whole))

    assert isinstance(old, AnalysisResult)
    assert old.verdict == whole.verdict
    assert isinstance(old, Opened)
    assert old.report.verdict.reason == "whole_clusters"
    [row] = old.report.outcomes[0].comparisons
    assert row.encouragement is not None
    assert row.encouragement.warnings == ("as_treated", "whole_clusters")
    assert row.verdict.details["cluster"] == "guild"


def test_payload_of_04__saturations__compared_with_clusters_without_nudge__isnt_ones_own(partly: Opened) -> None:
    old = READOUT.read(as_04_wrote(partly))

    assert isinstance(old, AnalysisResult)
    assert old.whole_clusters == "guild"
    assert old.verdict is not None
    assert old.verdict.reason == "whole_clusters"
    assert partly.whole_clusters == ""


# ── What others take for one's own effect ─────────────────────────────────────
def test_findings__of_whole_clusters__are_in_no_pool_and_no_price(whole: Opened, partly: Opened) -> None:
    [kept], [own] = findings_of(whole, Promised()), findings_of(partly, Promised())
    definition = Definition("friend_add", 3, 7, OUTCOME)

    assert (kept.whole_clusters, own.whole_clusters) == (True, False)
    used, left = sort_out([kept, replace(own, source="other")], definition)
    assert [row.source for row in used] == ["other"]
    assert [row.why for row in left] == [Why.WHOLE_CLUSTERS]
    rows = [finding(f"test-{at}", promised=0.2, promised_error=0.01, whole_clusters=True) for at in range(6)]
    assert price_of(rows).experiments == 0
    assert price_of([replace(row, whole_clusters=False) for row in rows]).experiments == 6


def test_calibration__whole_clusters__holds_no_promise_against_them(whole: Opened, partly: Opened) -> None:
    assert _trial(whole) == "whole_clusters"
    assert not isinstance(_trial(partly), str)


@pytest.mark.django_db
def test_moment__whole_clusters__stays_open_and_says_why(whole: Opened) -> None:
    analysis = stored(moment=True, final=True, payload=READOUT.store(whole), verdict="CAUSES")
    Experiment.objects.filter(pk=analysis.experiment_id).update(cluster="guild")
    export_findings_of(analysis, whole)
    moment = analysis.experiment.moment
    assert moment is not None

    found = record_verdict(moment=moment, code="CAUSES", finding=finding_of(analysis, whole))

    assert found.status == "inconclusive"
    said = moment_page.finding(found.finding)
    assert said.startswith("An experiment found that nudging whole clusters to it causes a gain. Effect per user")
    assert said.endswith("What a member's own behaviour does isn't known from it.")
    [kept] = all_findings()
    assert kept.whole_clusters


@pytest.mark.django_db
def test_site_of_04__moment_of_whole_clusters__is_open_again_after_the_upgrade(whole: Opened) -> None:
    analysis = stored(moment=True, final=True, payload=as_04_wrote(whole), verdict="CAUSES")
    Experiment.objects.filter(pk=analysis.experiment_id).update(cluster="guild")
    moment = analysis.experiment.moment
    assert moment is not None
    told = {"code": "CAUSES", "experiment": "exp", "analysis": analysis.pk, "outcome": OUTCOME, "promised": 0.1}
    AhaMoment.objects.filter(pk=moment.pk).update(finding=told, status="confirmed")
    export_findings_of(analysis, whole)
    Finding.objects.update(whole_clusters=None, degrees_of_freedom=12.5)  # as its rows are

    before = moment.history.count()
    hand_on_missing()
    hand_on_missing()

    moment.refresh_from_db()
    assert moment.finding is not None
    assert (moment.status, moment.finding["cluster"], moment.finding["promised"]) == ("inconclusive", "guild", 0.1)
    assert moment.history.count() == before + 1
    [kept] = all_findings()
    assert kept.whole_clusters


@pytest.mark.parametrize(
    ("cluster", "saturations", "expected"),
    [
        ("", [], False),
        ("guild", [], True),
        ("guild", [[0, 5_000], [10_000, 5_000]], True),
        ("guild", [[0, 5_000], [9_999, 5_000]], False),
    ],
)
def test_experiment__headings_of_lists__know_whole_clusters(
    cluster: str, saturations: list[list[int]], expected: bool
) -> None:
    assert Experiment(cluster=cluster, saturations=saturations, moment_id=1).moves_whole_clusters is expected
    assert not Experiment(cluster=cluster, saturations=saturations).moves_whole_clusters


# ── Inside partly nudged clusters ─────────────────────────────────────────────
def test_partly__verdict__rests_on_ones_own_effect(partly: Opened) -> None:
    [row], [effects] = partly.report.outcomes[0].comparisons, partly.saturation

    assert (partly.report.verdict.code, partly.report.verdict.reason) == (Code.CAUSES, "behaviour")
    assert row.encouragement is not None
    assert computable(row.difference)
    assert computable(row.encouragement.effect_set)
    assert computable(effects.direct)
    assert row.difference.estimate == pytest.approx(effects.direct.estimate)
    assert row.difference.p_value == pytest.approx(effects.direct.p_value)
    assert effects.own is not None
    assert computable(effects.own)
    assert effects.own.effect_set.low == pytest.approx(row.encouragement.effect_set.low)
    assert effects.own.effect_set.contains(0.3)
    assert effects.peers is not None
    assert computable(effects.peers)
    assert effects.peers.effect_set.contains(0.2)
    assert effects.beside_moved is not None
    assert computable(effects.beside_moved)
    assert effects.beside_moved.low < 0 < effects.beside_moved.high
    assert "inside clusters" in partly.plan.measured
    assert "oneself" in first_lines.opening(partly).estimand
    assert estimand_of(partly) == "own"
    shown = stored_document(partly)
    assert shown["report"]["outcomes"][0]["comparisons"][0]["encouragement"]["estimand"] == "own"
    assert shown["saturation"][0]["peers"]["effect_set"]["low"] == effects.peers.effect_set.low


def test_partly__several_shares__are_strata() -> None:
    """Clusters with a larger share hold more nudged units, and more nudged friends: unstratified it mixes both."""
    units = guilds(3, own=0.0, peers=0.8, clusters=90, share=0.5)
    place = (np.arange(90) % 3).astype(np.int64)
    shares = np.array([0.0, 0.3, 0.8])[place][units["cluster"]]
    rng = np.random.default_rng(3)
    arm = (rng.random(len(shares)) < shares).astype(np.int64)
    did = ((rng.random(len(shares)) < 0.2) | ((rng.random(len(shares)) < 0.6) & (arm == 1))).astype(float)
    friends = (np.bincount(units["cluster"], weights=did)[units["cluster"]] - did) / 24
    value = (rng.random(len(shares)) < 0.1 + 0.8 * friends).astype(float)
    changed = {**units, "arm": arm, "reached": did, "times": did, "value": value, "saturation_of": place}
    plan = (Saturation(0.0, 0.34), Saturation(0.3, 0.33), Saturation(0.8, 0.33))

    found = a_readout(changed, saturations=plan, shares={"": (0.63, 0.37)})

    [row] = found.report.outcomes[0].comparisons
    here = shares > 0
    columns = np.column_stack([shares[here] == 0.8]).astype(float)
    oracle = iv_moments_adjusted(
        value[here], did[here], arm[here].astype(float), columns, clusters=units["cluster"][here]
    )
    assert computable(oracle)
    moments = row.encouragement.moments
    assert (moments.itt, moments.v_r, moments.first_stage) == pytest.approx(
        (oracle.itt, oracle.v_r, oracle.first_stage)
    )
    assert row.difference.estimate == pytest.approx(oracle.itt)
    assert row.encouragement.take_up.variant - row.encouragement.take_up.control == pytest.approx(oracle.first_stage)
    assert row.encouragement.effect_set.contains(0.0)
    plain = value[here & (arm == 1)].mean() - value[here & (arm == 0)].mean()
    assert plain > row.difference.high


def test_partly__guardrails__stay_with_clusters_without_nudge() -> None:
    """What nudging does at all is what a guardrail asks: friends' losses count."""
    cells = make_cells(guilds(4, share=0.5, clusters=40), outcomes=(OUTCOME, "on_day:7"))
    data = ClusterData(cells, (OUTCOME, "on_day:7"), {}, inside=(False, True), guardrails=("on_day:7",))

    own, guardrail = (data.pair(name, 1) for name in (OUTCOME, "on_day:7"))

    assert own.variant.n == guardrail.variant.n
    assert (own.control.n, guardrail.control.n) == (500 - own.variant.n, 500)
    assert (own.whole_clusters, guardrail.whole_clusters) == (False, True)


def test_partly__without_a_behaviour__the_nudge_is_judged_with_all_that_it_does() -> None:
    found = a_readout(guilds(5, share=0.5), saturations=HALF, shares={"": (0.75, 0.25)}, claim=None)

    assert found.whole_clusters == ""
    assert found.report.outcomes[0].comparisons[0].difference.estimate == pytest.approx(
        found.saturation[0].total.estimate
    )


def alarms(runs: int) -> tuple[int, int]:
    """Runs in which an own act that is worth nothing is called a cause, and in which whole guilds are."""
    own, members = 0, 0
    for seed in range(runs):
        found = a_readout(guilds(seed, share=0.5, clusters=240), saturations=HALF, shares={"": (0.75, 0.25)})
        own += found.report.verdict.code in (Code.CAUSES, Code.HARMS)
        report = analyze("guilds", FILE, as_file(guilds(seed)))
        members += report.verdict.reason == "behaviour" or MEMBER not in verdict_sentence(report.verdict)
    return own, members


def test_own_act_worth_nothing__is_no_cause() -> None:
    own, members = alarms(4)

    assert at_most(own, 4, 0.05)
    assert members == 0


@pytest.mark.proof
def test_own_act_worth_nothing__many_runs__is_no_cause() -> None:
    own, members = alarms(100)

    assert at_most(own, 100, 0.05)
    assert members == 0
