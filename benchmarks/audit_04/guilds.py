"""N4: where friends matter, the effect of moving whole guilds is no member's own."""

from dataclasses import dataclass

import numpy as np

from benchmarks.audit_04.figure import Figure, at_least, at_most, percent, shown, two_errors
from benchmarks.audit_04.stored_cells import cells_of
from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.engine import analyze
from experiments.analyse.gather.answers import Answers, Audit, Block
from experiments.analyse.result import Opened
from experiments.analyse.verdict import Verdict
from experiments.draw.bucketing import Saturation
from experiments.plan.design import Design, Kind, Outcome, Units
from experiments.report.verdict import verdict_sentence
from stats.results import computable
from tests.experiments.analyse.stored_world import METRIC, MONDAY, TODAY, answers_of, plan_of

SIZE, PEERS = 25, 0.2
RUNS = 1_000
FILE = Design("arm", "control", ("kept",), behaviour="did", cluster="guild")
SATURATIONS = (Saturation(0.0, 0.5), Saturation(0.5, 0.5))
FOUND = (Code.CAUSES, Code.HARMS)
OWN_HEADINGS = ("The behaviour causes a gain", "The behaviour does harm")


def figures(size: float) -> list[Figure]:
    runs = max(round(RUNS * size), 10)
    found = []
    for place, own in enumerate((0.0, 0.1)):
        rows = [whole(10_000 * place + seed, own) for seed in range(runs)]
        members, causes, covers = (sum(one) for one in zip(*rows, strict=True))
        world = f"whole guilds, own act worth {own:.1f}, friends' {PEERS:.1f}"
        called = f"{members} of {runs}; CAUSES of moving guilds in {percent(causes / runs)}"
        found.append(Figure(f"{world}: called a member's own cause", "never", called, members == 0))
        found.append(held(f"{world}: set holds own and friends' effect together, {own + PEERS:.1f}", covers, runs))
    for place, own in enumerate((0.0, 0.1), start=2):
        seen = [partly(10_000 * place + seed, own) for seed in range(runs)]
        world = f"saturations, own act worth {own:.1f}, friends' {PEERS:.1f}"
        found.append(held(f"{world}: set of the own effect holds it", sum(one.own for one in seen), runs))
        found.append(held(f"{world}: set of the friends' effect holds it", sum(one.peers for one in seen), runs))
        said = sum(one.code in FOUND for one in seen) / runs
        causes = sum(one.code is Code.CAUSES for one in seen) / runs
        of, most = f"{runs} (CAUSES {percent(causes)})", 0.05 + two_errors(0.05, runs)
        if own:
            found.append(shown(f"{world}: CAUSES of one's own behaviour", f"{percent(said)} of {of}"))
        else:
            what, required = f"{world}: CAUSES or HARMS of one's own behaviour", "(5 % and two errors)"
            found.append(at_most(what, most, said, of, f"at most {percent(most)} {required}"))
    return found


def held(what: str, hits: int, runs: int) -> Figure:
    least = 0.93 - two_errors(0.93, runs)
    return at_least(what, least, hits / runs, f"{runs}", f"at least {percent(least)} (93 % less two errors)")


# ── Worlds ────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Guilds:
    """Units in guilds: arm 0 or 1, whether they did it, whether they were kept."""

    guild: np.ndarray
    arm: np.ndarray
    did: np.ndarray
    kept: np.ndarray


def draw(seed: int, own: float, guilds: int, share: float) -> Guilds:
    """Every second guild has this share of its units nudged."""
    rng = np.random.default_rng(seed)
    guild = np.repeat(np.arange(guilds), SIZE)
    arm = (rng.random(len(guild)) < share * (guild % 2)).astype(np.int64)
    kind = rng.random(len(guild))
    did = ((kind < 0.2) | ((kind < 0.45) & (arm == 1))).astype(float)
    friends = (np.bincount(guild, weights=did)[guild] - did) / (SIZE - 1)
    kept = (rng.random(len(guild)) < 0.3 + own * did + PEERS * friends).astype(float)
    return Guilds(guild, arm, did, kept)


def whole(seed: int, own: float) -> tuple[bool, bool, bool]:
    """Whether a member's own behaviour is called a cause, whether moving guilds is, whether the set holds both."""
    seen = draw(seed, own, 200, 1.0)
    kept = Outcome("kept", Kind.PROPORTION, seen.kept)
    units = Units(("control", "nudge"), seen.arm, (kept,), len(seen.arm), behaviour=seen.did, cluster=seen.guild)
    report = analyze("audit", FILE, units)
    told = report.outcomes[0].comparisons[0].encouragement
    covers = told is not None and computable(told.effect_set) and told.effect_set.contains(own + PEERS)
    return is_own(report.verdict), report.verdict.code is Code.CAUSES, covers


def is_own(verdict: Verdict) -> bool:
    """The product's own words call it one's own: the code of the reason, the heading, or the sentence."""
    if verdict.code not in FOUND:
        return False
    heading, sentence = verdict.heading, verdict_sentence(verdict)
    ours = "nothing about a member's own behaviour" in sentence and "among the" not in sentence
    return verdict.reason == "behaviour" or heading in OWN_HEADINGS or not ours


@dataclass(frozen=True)
class Seen:
    """The verdict of one saturation plan, and whether its sets hold the own and the friends' effect."""

    code: Code
    own: bool
    peers: bool


def partly(seed: int, own: float) -> Seen:
    world = draw(seed, own, 240, 0.5)
    plan = plan_of(
        ("control", "nudge"), len(world.arm), cluster="guild", saturations=SATURATIONS, shares={"": (0.75, 0.25)}
    )
    found = analyse_answers(plan, answers(world), Audit(0, 0, {}), today=TODAY)
    assert isinstance(found, Opened)
    told, [effects] = found.report.outcomes[0].comparisons[0].encouragement, found.saturation
    assert told is not None
    assert computable(told.effect_set)
    assert effects.peers is not None
    assert computable(effects.peers)
    holds = told.effect_set.contains(own), effects.peers.effect_set.contains(PEERS)
    return Seen(found.report.verdict.code, *holds)


def answers(world: Guilds) -> Answers:
    """As the warehouse gives them: one cell for each guild and arm, everything mature."""
    matrix = np.column_stack([world.kept, world.did, world.did * 3])
    pairs, place = np.unique(np.column_stack([world.guild, world.arm]), axis=0, return_inverse=True)
    n, columns = np.bincount(place), range(3)
    means = np.column_stack([np.bincount(place, weights=matrix[:, i]) / n for i in columns])
    left = matrix - means[place]
    covariance = np.zeros((len(n), 3, 3))
    for i in columns:
        for j in columns:
            covariance[:, i, j] = np.bincount(place, weights=left[:, i] * left[:, j]) / np.maximum(n - 1, 1)
    blocks = {METRIC: Block(("value", "reached", "times"), n, means, covariance)}
    clusters = {"clusters": 240, "cluster": pairs[:, 0], "saturation": pairs[:, 0] % 2}
    cells = cells_of(("control", "nudge"), pairs[:, 1], blocks, (MONDAY,), **clusters)
    times = tuple(
        (label, times, int(((world.arm == code) & (world.did * 3 == times)).sum()))
        for code, label in enumerate(cells.variants)
        for times in (0, 3)
    )
    return answers_of(cells, times)
