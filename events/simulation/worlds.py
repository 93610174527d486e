"""The table of simulated worlds: the only place for their parameters (docs/methods/worlds.md).

Changing a number here to make a figure pass is a defect: the verdicts that Insight must reach are stated for these
numbers.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace

Groups = tuple[float, float, float, float]

GROUP_NAMES = ("solo crafter", "battler", "trader", "social")
DAYS = 35
TARGET, TIMES, WITHIN_DAYS = "friend_add", 3, 7
RETENTION, RETENTION_DAYS = "window:21-27", (21, 27)
STANDARD_UNITS = 20_000
MAX_UNITS = 1_000_000

TAU: Groups = (1.2 * 0.6, 1.2 * 1.1, 1.2 * 0.4, 1.2 * 1.3)
NO_TAU: Groups = (0.0, 0.0, 0.0, 0.0)
# The mean of tau * 1[N >= 3] over the mean of tau * min(N, 10) / 10, both without a nudge, by quadrature
# (tests/events/test_simulation.py recomputes it): it gives `smooth` the same mean effect as `step`.
SMOOTH_SCALE = 1.4085
# `daily_cause`: doing it on day 0 raises retention by .179, the effect of the audit's scenario.
ALIKE: Groups = (0.7, 0.7, 0.7, 0.7)
COMES, HABIT = 3.0, 0.8
# The worlds of two behaviours. FOLLOW moves friend_add by 12 points; ALSO_2 and ALSO_6 move chat by 2 and 6. Each tau
# makes a behaviour worth 15 points to those whom the nudge moves to it (tests/events/test_simulation_truth.py).
OTHER = "chat"
FOLLOW, ALSO_2, ALSO_6 = 0.4, 0.095, 0.284
CHAT_ALONE, CHAT_BESIDE, FRIENDS_BESIDE = 0.92, 1.2, 1.28
# `consequence`: friend_add's 15 points are its own and chat's together. Who reaches three friends chats LEADS times as
# often.
LEADS, FRIENDS_OWN, CHAT_LED = 3.0, 0.9, 1.0
# Parameters that came later: a world that doesn't use them keeps the hash of its earlier results.
LATER = ("levels_off", "other", "other_tau", "other_take_up", "leads")


@dataclass(frozen=True)
class PlantedBehaviour:
    """A behaviour that users may show on an active day.

    Attributes:
        name: the event name.
        rates: expected events on an active day at engagement 0, for each of the four groups.
        load: how the rate follows engagement E: the rate is multiplied by exp(load * E).
    """

    name: str
    rates: Groups
    load: float


def _flat(name: str) -> PlantedBehaviour:
    return PlantedBehaviour(name, (0.3, 0.3, 0.3, 0.3), 0.0)


NEGATIVE_CONTROLS = ("settings_open", "error_seen", "rotate", "mute", "help_open", "ad_seen", "screenshot")
BEHAVIOURS = (
    PlantedBehaviour(TARGET, (0.35, 0.55, 0.75, 1.10), 0.3),
    PlantedBehaviour("craft", (1.2, 0.2, 0.3, 0.6), 0.2),
    PlantedBehaviour("battle", (0.2, 1.5, 0.3, 0.6), 0.3),
    PlantedBehaviour("shop", (0.10, 0.15, 0.90, 0.30), 0.2),
    PlantedBehaviour("chat", (0.20, 0.35, 0.60, 1.10), 0.9),
    PlantedBehaviour("browse", (2.0, 2.0, 2.0, 2.0), 0.6),
    *(_flat(name) for name in NEGATIVE_CONTROLS),
)


# `styles`: what each of the first three patterns does in that world; users differ in nothing else.
STYLE_BEHAVIOURS = (
    _flat(TARGET),
    *(
        PlantedBehaviour(
            name, (1.5 if style == 0 else 0.05, 1.5 if style == 1 else 0.05, 1.5 if style == 2 else 0.05, 0.0), 0.0
        )
        for style, names in enumerate(
            (
                ("craft", "build", "farm", "decorate"),
                ("battle", "raid", "duel", "train"),
                ("shop", "trade", "bid", "gift"),
            )
        )
        for name in names
    ),
)


@dataclass(frozen=True)
class World:
    """The parameters of one simulated world.

    Attributes:
        name: its name on the command line and in truth.json.
        moment: whether an AHA moment exists: friend_add at least 3 times within 7 days.
        shares: share of users in each play-pattern group; they add up to 1.
        engagement_means: mean of engagement E in each group.
        engagement_sd: standard deviation of E in every group.
        tau: how far reaching the moment lowers the logit of leaving from day 7 on, for each group.
        smooth: the dose is min(N, 10) / 10 instead of 1[N >= 3].
        levels_off: above 0, the dose is min(N, levels_off) / levels_off: each act does as much up to there.
        delta: how far a nudge lowers that logit by itself, from day 7 on (a violated exclusion restriction).
        take_up: probability that a nudged user responds to the nudge.
        boost: factor on the friend_add rate of a responding user on days 0..6.
        spill: share of the boost that the friends of a responding user gain.
        lost_exposures: share of the nudged arm's exposure events that are lost.
        tutorial_reach: share of users with a `tutorial` event on day 0; above 0 there is also a `daily_bonus`.
        arms: names of the arms, control first; users are split evenly.
        behaviours: what users do.
        units: users unless said otherwise.
        times, within: the behaviour that is tested: friend_add at least `times` times on days 0..`within` - 1.
        coin: probability that friend_add happens on day 0, once, independent of the user; above 0 it takes the place of
            day 0's count, and a nudge multiplies it by `boost`.
        comes: how far reaching the moment raises the logit of coming on days 1..6.
        habit: how far each of the days 1..6 without coming raises the logit of leaving from day 7 on.
        seen_in: a behaviour, done on day 0 only, whose count *is* the engagement: (count - mean) over its standard
            deviation, times `engagement_sd`. What else a user does on day 0 doesn't follow engagement then. Empty: E is
            drawn and unobserved.
        guild_spread: standard deviation of the log of a guild's size, around 20 users; 0: every guild has 20.
        other: another behaviour that may keep users, counted like the tested one: at least `times` times on days
            0..`within` - 1. Empty: there is none.
        other_tau: how far reaching that lowers the logit of leaving from day 7 on.
        other_take_up: probability that a nudged user also does the other behaviour `boost` times as often on days 0..6,
            whether or not the user responds to the nudge.
        leads: factor on the other behaviour's rate on days 0..6 of users who reach the moment, nudged or not.
        styles: above 0, users don't have a single group: they are spread uniformly over the mixes of the first so many
            play patterns, and `group` is the pattern that weighs most.
    """

    name: str
    moment: bool = True
    shares: Groups = (0.35, 0.30, 0.20, 0.15)
    engagement_means: Groups = (-0.5, 0.0, 0.2, 0.7)
    engagement_sd: float = 0.7
    tau: Groups = TAU
    smooth: bool = False
    levels_off: int = 0
    delta: float = 0.0
    take_up: float = 0.6
    boost: float = 3.0
    spill: float = 0.0
    lost_exposures: float = 0.0
    tutorial_reach: float = 0.0
    arms: tuple[str, ...] = ("control", "nudge")
    behaviours: tuple[PlantedBehaviour, ...] = BEHAVIOURS
    units: int = STANDARD_UNITS
    times: int = TIMES
    within: int = WITHIN_DAYS
    coin: float = 0.0
    comes: float = 0.0
    habit: float = 0.0
    seen_in: str = ""
    guild_spread: float = 0.0
    other: str = ""
    other_tau: float = 0.0
    other_take_up: float = 0.0
    leads: float = 1.0
    styles: int = 0

    def nudged_to(self, nudge: str) -> tuple[bool, ...]:
        """Of each arm, whether it nudges to friend_add ("friends") or to the other behaviour ("chat").

        `nudge` does both. A lab's arm is the set of its nudges, such as `friends.chat`.
        """
        return tuple(arm == "nudge" or nudge in arm.split(".") for arm in self.arms)

    @property
    def parameter_hash(self) -> str:
        """SHA-256 of all parameters, so that a result can say which numbers made its data."""
        blank = {field.name: field.default for field in fields(self)}
        used = {name: value for name, value in asdict(self).items() if name not in LATER or value != blank[name]}
        text = json.dumps(used, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def has_cause(self) -> bool:
        """Whether friend_add changes retention in this world."""
        return any(self.tau) or self.comes > 0 or (self.leads != 1 and self.other_tau != 0)

    @property
    def inert(self) -> tuple[str, ...]:
        """Names of the behaviours that can't change retention in this world."""
        forced = ("tutorial", "daily_bonus") if self.tutorial_reach > 0 else ()
        causes = {TARGET} if self.has_cause else set()
        causes |= {self.other} if self.other_tau else set()
        return tuple(b.name for b in self.behaviours if b.name not in causes) + forced


# `measured_confounding`: the play pattern isn't observed on day 0, so it must not affect how soon a user reaches the
# moment: it affects what reaching it does, and would be an unmeasured common cause. At this rate three on one day are
# possible for nearly everybody.
ALIKE_TARGET = PlantedBehaviour(TARGET, (0.75, 0.75, 0.75, 0.75), 0.3)
PROFILE = PlantedBehaviour("profile_field", (2.0, 2.0, 2.0, 2.0), 0.0)


def _alike(tau: float) -> Groups:
    return tau, tau, tau, tau


_STEP = World("step")
_SPILL = World("spill", tau=NO_TAU, take_up=FOLLOW, other=OTHER, other_tau=CHAT_ALONE, other_take_up=ALSO_6)
WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        _STEP,
        replace(_STEP, name="no_effect", moment=False, tau=NO_TAU),
        replace(
            _STEP,
            name="smooth",
            moment=False,
            smooth=True,
            tau=(TAU[0] * SMOOTH_SCALE, TAU[1] * SMOOTH_SCALE, TAU[2] * SMOOTH_SCALE, TAU[3] * SMOOTH_SCALE),
        ),
        replace(_STEP, name="levels_off", moment=False, levels_off=4),
        replace(_STEP, name="levels_off_at_3", moment=False, levels_off=3),
        replace(_STEP, name="forced", tutorial_reach=0.98),
        replace(_STEP, name="direct_nudge", moment=False, tau=NO_TAU, delta=0.4, arms=("control", "nudge", "placebo")),
        replace(_STEP, name="weak_nudge", take_up=0.02),
        replace(_STEP, name="opposite_segments", tau=(1.2, 1.2, 1.2 * -0.8, 1.2 * -0.8)),
        replace(_STEP, name="sample_ratio", lost_exposures=0.12),
        replace(_STEP, name="spillover", spill=0.5),
        replace(_STEP, name="guilds", spill=0.5, guild_spread=1.0),
        replace(_STEP, name="guilds_null", moment=False, tau=NO_TAU, spill=0.5, guild_spread=1.0),
        replace(_STEP, name="blob", shares=(0.0, 1.0, 0.0, 0.0)),
        replace(_STEP, name="planted_groups", moment=False, tau=NO_TAU, engagement_means=(0.0, 0.0, 0.0, 0.0)),
        replace(
            _STEP,
            name="noise",
            moment=False,
            tau=NO_TAU,
            behaviours=tuple(_flat(f"noise_{number:02d}") for number in range(1, 51)),
            units=2_000,
        ),
        replace(
            _STEP,
            name="daily_cause",
            engagement_means=ALIKE,
            tau=NO_TAU,
            times=1,
            within=1,
            coin=0.5,
            comes=COMES,
            habit=HABIT,
        ),
        replace(
            _STEP,
            name="measured_confounding",
            seen_in=PROFILE.name,
            behaviours=(ALIKE_TARGET, *BEHAVIOURS[1:], PROFILE),
        ),
        replace(_STEP, name="salience", delta=0.1, arms=("control", "nudge", "placebo")),
        replace(_STEP, name="salience_null", moment=False, tau=NO_TAU, delta=0.1, arms=("control", "nudge", "placebo")),
        _SPILL,
        replace(_SPILL, name="spill_2", other_take_up=ALSO_2),
        replace(_SPILL, name="spill_both", tau=_alike(FRIENDS_BESIDE), other_tau=CHAT_BESIDE),
        replace(
            _SPILL, name="consequence", tau=_alike(FRIENDS_OWN), other_tau=CHAT_LED, other_take_up=0.0, leads=LEADS
        ),
        replace(
            _STEP,
            name="styles",
            moment=False,
            tau=NO_TAU,
            engagement_means=(0.0, 0.0, 0.0, 0.0),
            behaviours=STYLE_BEHAVIOURS,
            styles=3,
        ),
    )
}
# A lab with a nudge to friend_add, which causes retention, and one to chat, which only goes with it. Not in the table:
# the benchmark's tools judge one nudge.
# Its nudges are strong, so that a few thousand users decide.
LAB = replace(
    _STEP,
    name="lab",
    take_up=0.95,
    boost=5.0,
    other=OTHER,
    other_take_up=0.95,
    arms=("none", "friends", "chat", "friends.chat"),
)
