"""The worlds as an entry sees them, what is true in them (docs/methods/worlds.md), and an answer held against that."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.aha_worlds.records import LONGEST_DAYS, Answer, Entry, Experiment, Flags, Ints, Log, Moment
from events.simulation import WORLDS, Simulation, World, draw_arms, simulate, truth
from events.simulation.generate import EXPOSURE_CODE, OPEN_CODE, SIGNUP_CODE, event_names
from events.simulation.people import DAY
from events.simulation.worlds import TARGET
from tests.simulated import experiment_table

BY_GUILD = ("spillover", "guilds", "guilds_null")
# The worlds of the page; those that level off came later and can be played by name.
PLAYED = tuple(name for name, world in WORLDS.items() if not world.levels_off)
# The users of the log and those of the experiment are different people of the same world.
OTHER_USERS = 1_000_000
# Cells of the true behaviour that class at least this share of users as the true moment does: nobody could tell them
# apart, and a nudge towards one is a nudge towards the other.
ALIKE = 0.95


@dataclass(frozen=True, eq=False)
class Round:
    """One world with one seed.

    Attributes:
        log, experiment: what entries are given.
        moment: the true moment, None where there is none; of two causes that of the experiment.
        alike: the cells that nobody could tell from it, itself among them; of two causes those of both.
        causes: whether the behaviour of the experiment changes retention.
        effects: its true effect by whom: `everyone`, `moved`. None where nobody is moved.
        also: true moment and effects of another behaviour that keeps users.
    """

    world: str
    seed: int
    log: Log
    experiment: Experiment | None
    moment: Moment | None
    alike: frozenset[Moment]
    causes: bool
    effects: dict[str, float | None]
    also: tuple[Moment, dict[str, float | None]] | None = None

    def effects_of(self, behaviour: str | None) -> dict[str, float | None] | None:
        """True effects of a behaviour; None where it changes nothing."""
        if behaviour == TARGET and self.causes:
            return self.effects
        return self.also[1] if self.also is not None and self.also[0].behaviour == behaviour else None


def make(name: str, seed: int, units: int | None = None) -> Round:
    """Draw one world: a log of users without a nudge, then an experiment on as many others.

    Args:
        name: a key of `WORLDS`.
        seed: 0 upwards.
        units: users of each; None: the world's own number.
    """
    world = WORLDS[name]
    size = units or world.units
    seen = simulate(world, size, seed, np.full(size, -1))
    log = log_of(seen)
    tested = Moment(TARGET, world.times, world.within)
    experiment, facts = None, truth(seen)
    if not without_experiment(name):
        arms = draw_arms(world, size, seed + OTHER_USERS, by_guild=name in BY_GUILD)
        tried = simulate(world, size, seed + OTHER_USERS, arms)
        experiment, facts = Experiment(experiment_table(tried), tested, name in BY_GUILD), truth(tried)
    also = None
    if (other := facts["other"]) is not None:
        effects = {"everyone": _number(other["ate"]), "moved": _number(other["effect"])}
        also = Moment(other["behaviour"], other["times"], other["days"]), effects
    own = [tested] if world.moment and world.has_cause else []
    moments = own + ([also[0]] if also is not None else [])
    return Round(
        world=name,
        seed=seed,
        log=log,
        experiment=experiment,
        moment=next(iter(moments), None),
        alike=frozenset(cell for one in moments for cell in cells_alike(log, one)),
        causes=world.has_cause,
        effects={"everyone": _number(facts["ate"]), "moved": _number(facts["effect"])},
        also=also,
    )


def log_of(simulation: Simulation) -> Log:
    """Counted from the events, as any tool would: within y times 24 hours of the signup."""
    events, names = simulation.log, event_names(simulation.world)
    aside = {SIGNUP_CODE, EXPOSURE_CODE, OPEN_CODE}
    codes = [code for code in range(len(names)) if code not in aside and (events.code == code).any()]
    day = (events.time - simulation.people.signup[events.user]) // DAY
    counts = np.zeros((simulation.units, len(codes), LONGEST_DAYS), dtype=np.int64)
    early = day < LONGEST_DAYS
    for place, code in enumerate(codes):
        rows = early & (events.code == code)
        np.add.at(counts[:, place, :], (events.user[rows], day[rows]), 1)
    active = np.zeros((simulation.units, LONGEST_DAYS), dtype=np.int64)
    rows = simulation.active_day < LONGEST_DAYS
    active[simulation.active_user[rows], simulation.active_day[rows]] = 1
    signup = simulation.people.signup
    return Log(
        behaviours=tuple(names[code] for code in codes),
        counts=counts.cumsum(axis=2),
        active=active.cumsum(axis=1),
        week=np.asarray((signup - signup.min()) // (7 * DAY)),
        retained=np.asarray(simulation.retained),
    )


def cells_alike(log: Log, moment: Moment) -> frozenset[Moment]:
    """The cells of the moment's behaviour that class at least 95 % of the users as it does."""
    did = log.did(moment)
    counts: Ints = log.counts[:, log.behaviours.index(moment.behaviour)]
    found = {moment}
    for days in range(1, LONGEST_DAYS + 1):
        for times in range(1, 2 * moment.times + 1):
            other: Flags = counts[:, days - 1] >= times
            if (other == did).mean() >= ALIKE:
                found.add(Moment(moment.behaviour, times, days))
    return frozenset(found)


def without_experiment(name: str) -> bool:
    """Whether nobody in this world can be nudged: it has no such behaviour."""
    return all(behaviour.name != TARGET for behaviour in WORLDS[name].behaviours)


def world_hash(name: str) -> str:
    """Names the parameters that drew a world, so that a stored row of other parameters is never taken for its own."""
    world: World = WORLDS[name]
    return world.parameter_hash[:12]


def _number(value: Any) -> float | None:
    return value if isinstance(value, float) else None


def score(entry: Entry, answer: Answer, world: Round) -> dict[str, Any]:
    """What is kept of an answer: the answer itself, rounded, and its scores.

    Scores:
        exact: the moment is the true one, or rightly none.
        alike: the same, or a cell that classes at least 95 % of users alike.
        false_cause: a cause was claimed of a behaviour that changes nothing, or with the wrong sign.
        error: effect minus truth, of the behaviour that the answer is about; None for a cell whose true effect isn't
            drawn.
        covers: whether the intervals hold the truth.
    """
    behaviour = _behaviour(entry, answer, world)
    true = _true_effect(entry, answer, world)
    kept: dict[str, Any] = {
        "moment": None if answer.moment is None else [answer.moment.behaviour, answer.moment.times, answer.moment.days],
        "cause": answer.cause,
        "effect": _rounded(answer.effect),
        "intervals": [[_rounded(low), _rounded(high)] for low, high in answer.intervals],
        "of": answer.of,
        "reason": answer.reason,
        "truth": _rounded(true),
        "exact": None,
        "alike": None,
        "false_cause": answer.cause and not _is_true_cause(behaviour, answer, world),
        "error": None,
        "covers": None,
    }
    if entry.finds_moment:
        kept["exact"] = answer.moment == world.moment or (world.also is not None and answer.moment == world.also[0])
        kept["alike"] = answer.moment in world.alike if world.moment else answer.moment is None
    if true is not None and answer.effect is not None:
        kept["error"] = _rounded(answer.effect - true)
    if true is not None and answer.intervals:
        kept["covers"] = any(
            (low is None or low <= true) and (high is None or true <= high) for low, high in answer.intervals
        )
    return kept


def _behaviour(entry: Entry, answer: Answer, world: Round) -> str | None:
    """Of which behaviour the answer speaks: an effect from an experiment is that of the behaviour it nudges towards."""
    if (entry.needs_experiment or answer.of == "moved") and world.experiment is not None:
        return world.experiment.moment.behaviour
    return None if answer.moment is None else answer.moment.behaviour


def _true_effect(entry: Entry, answer: Answer, world: Round) -> float | None:
    behaviour = _behaviour(entry, answer, world)
    if behaviour is None:
        return None
    effects = world.effects_of(behaviour)
    if effects is None:
        return 0.0
    about_experiment = entry.needs_experiment or answer.of == "moved"
    if about_experiment or answer.moment in world.alike:
        return effects[answer.of]
    return None


def _is_true_cause(behaviour: str | None, answer: Answer, world: Round) -> bool:
    effects = world.effects_of(behaviour)
    if effects is None:
        return False
    true = effects[answer.of]
    return answer.effect is None or true is None or true * answer.effect > 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 5)
