"""What is true in a simulated world, exactly: averages of potential outcomes, not estimates."""

from dataclasses import asdict
from typing import Any

import numpy as np

from events.simulation.draws import Floats
from events.simulation.generate import COMPLIANCE_NAMES, COMPLIER, Simulation
from events.simulation.people import Flags
from events.simulation.worlds import DAYS, GROUP_NAMES, NEGATIVE_CONTROLS, RETENTION, TARGET

Json = dict[str, Any]
NOBODY = "no user belongs to this group"
NO_COMPLIERS = "the nudge moves no user across the threshold"


def unit_ids(units: int) -> list[str]:
    """Ids of the first users: u0000001, u0000002, ..."""
    return [f"u{number:07d}" for number in range(1, units + 1)]


def _mean(values: Floats, members: Flags, reason: str = NOBODY) -> float | dict[str, str]:
    """Mean over the members, or the reason why there is none: never 0 or NaN."""
    return float(values[members].mean()) if members.any() else {"not_computable": reason}


def _effects(simulation: Simulation, members: Flags) -> Json:
    """Every effect and share among the members."""
    retained = simulation.retained_by_arm.astype(np.float64)
    reached = simulation.reached_by_arm.astype(np.float64)
    moment = simulation.retained_with_moment.astype(np.float64) - simulation.retained_without
    compliance = simulation.compliance
    arms = list(enumerate(simulation.world.arms))
    itt = _mean(retained[1] - retained[0], members)
    first_stage = _mean(reached[1] - reached[0], members)
    wald: float | dict[str, str] = {"not_computable": NO_COMPLIERS}
    if isinstance(itt, float) and isinstance(first_stage, float) and first_stage > 0:
        wald = itt / first_stage
    return {
        "units": int(members.sum()),
        "effect": _mean(moment, members & (compliance == COMPLIER), NO_COMPLIERS),
        "ate": _mean(moment, members),
        "itt": itt,
        "itt_by_arm": {name: _mean(retained[index] - retained[0], members) for index, name in arms if index > 0},
        "wald": wald,
        "take_up": {name: _mean(reached[index], members) for index, name in arms},
        "retention_rate": {name: _mean(retained[index], members) for index, name in arms},
        "shares": {
            name: _mean((compliance == code).astype(np.float64), members) for code, name in enumerate(COMPLIANCE_NAMES)
        },
    }


def _memberships(simulation: Simulation) -> Json:
    ids = np.array(unit_ids(simulation.units))
    group, compliance = simulation.people.group, simulation.compliance
    return {
        "group": {name: ids[group == code].tolist() for code, name in enumerate(GROUP_NAMES)},
        "compliance": {name: ids[compliance == code].tolist() for code, name in enumerate(COMPLIANCE_NAMES)},
    }


def truth(simulation: Simulation) -> Json:
    """The exact truth of a simulation, ready for JSON; docs/methods/worlds.md explains every key.

    Shares and rates run from 0 to 1; effects are differences of retention rates, positive when retention rises.
    ``effect`` is the complier average causal effect: do(AHA) against do(no AHA) among the users whom the nudge moves.
    """
    world = simulation.world
    tested = {"behaviour": TARGET, "times": world.times, "days": world.within}
    names = [behaviour.name for behaviour in world.behaviours]
    everyone = np.ones(simulation.units, dtype=np.bool_)
    return {
        "world": world.name,
        "seed": simulation.seed,
        "units": simulation.units,
        "days": DAYS,
        "parameters": asdict(world),
        "parameters_hash": world.parameter_hash,
        "moment": tested if world.moment else None,
        "tested": tested,
        "retention": RETENTION,
        **_effects(simulation, everyone),
        "by_group": {
            name: _effects(simulation, simulation.people.group == code) for code, name in enumerate(GROUP_NAMES)
        },
        "groups": [name for name, share in zip(GROUP_NAMES, world.shares, strict=True) if share > 0],
        "inert": list(world.inert),
        "negative_controls": [name for name in NEGATIVE_CONTROLS if name in names],
        "forced": ["tutorial", "daily_bonus"] if world.tutorial_reach > 0 else [],
        "tier_drivers": [name for name in ("chat", TARGET) if name in names],
        "memberships": _memberships(simulation),
    }
