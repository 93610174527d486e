"""Texts of a self-test: plants, questions, and reasons why something can't be shown. Pure."""

from events.metrics import display_name
from insight_site.selftest.planting.planted_outcomes import Plant
from insight_site.selftest.selftest_result import Asks, CopyCheck, SelfTestReport, Shortfall, Tally, Why
from reporting.numbers import count, decimal, percent, share
from reporting.words import days_words, gettext, times_words
from stats.results import Interval, NotComputable


def plant_words(plant: Plant | None) -> str:
    """Text for a kind of plant."""
    if plant is None:
        return gettext("styles of play")
    return {
        Plant.NOTHING: gettext("nothing at all"),
        Plant.CORRELATION: gettext("a mere correlation"),
        Plant.THRESHOLD: gettext("a threshold"),
        Plant.SMOOTH: gettext("a smooth effect"),
        Plant.SEGMENT: gettext("a segment difference"),
    }[plant]


def asks_words(asks: Asks) -> str:
    """Text for a finding, as a row of a table."""
    return {
        Asks.CANDIDATE: gettext("a study lists the behaviour as a candidate"),
        Asks.JUMP: gettext("a study says 'jump' at the planted number of times"),
        Asks.WRONG_JUMP: gettext("a study says 'jump', and there is none"),
        Asks.LUCK: gettext("a study calls something better than luck"),
        Asks.ACTIVE: gettext("a study calls something better than equally active users"),
        Asks.CAUSES: gettext("an experiment says that the behaviour causes a gain"),
        Asks.WRONG_VERDICT: gettext("an experiment claims a gain or harm, and there is none"),
        Asks.TRUTH_OUTSIDE: gettext("an experiment's range misses the planted effect"),
        Asks.SEGMENTS: gettext("an experiment says that the segments differ"),
        Asks.WRONG_SEGMENTS: gettext("an experiment says that the segments differ, and they don't"),
        Asks.STYLES: gettext("a search finds the planted styles"),
        Asks.WRONG_STYLES: gettext("a search calls something groups, and there are none"),
    }[asks]


def share_words(row: Tally) -> str:
    """A share with its exact interval: "5 % (1.6 to 11.3)"."""
    found = row.share
    return share(found) if isinstance(found, Interval) else "–"


def of_words(row: Tally) -> str:
    """ "5 of 100"."""
    return gettext("{k} of {n}").format(k=count(row.said), n=count(row.n))


def moment_words(report: SelfTestReport) -> str:
    """Where effects were planted, their size, and what the nudge does."""
    if report.planted is None:
        return gettext("There is no place to plant an effect in these data; below is why.")
    text = gettext(
        "Planted on {behaviour}, {times} within {days}: {reach} of the users reach that by themselves. Reaching it "
        "raises retention by {effect} points. A nudge goes to half of the users by hash, and {take_up} of them follow "
        "it."
    )
    moment = report.planted.moment
    return text.format(
        behaviour=display_name(moment.behaviour),
        times=times_words(moment.times),
        days=days_words(moment.days),
        reach=percent(moment.reach),
        effect=decimal(100 * report.planted.gain, 1),
        take_up=percent(report.asked.take_up, 0),
    )


def sample_words(report: SelfTestReport) -> str:
    """The sample, and its real retention."""
    retained = report.retained
    rate = share(retained) if isinstance(retained, Interval) else "–"
    if report.sampled < report.users:
        text = gettext("A sample of {sampled} of {users} users whose retention is known; {rate} were retained.")
        return text.format(sampled=count(report.sampled), users=count(report.users), rate=rate)
    text = gettext("All {users} users whose retention is known; {rate} were retained.")
    return text.format(users=count(report.users), rate=rate)


def trait_words(report: SelfTestReport) -> str:
    """The trait that divides users for the segment difference; "" without one."""
    if report.trait is None:
        return ""
    text = gettext("The segment difference: the behaviour works for users with {trait} ({share}) and not for others.")
    return text.format(trait=report.trait.name.replace("=", ": "), share=percent(report.trait.share))


def power_words(report: SelfTestReport) -> str:
    """The planner's forecast for the threshold's experiment."""
    found = report.foretold
    if found is None:
        return ""
    text = gettext("The planner foretells that an experiment with these users finds the planted threshold in {power}.")
    return text.format(power=percent(found.power))


def check_words(check: CopyCheck) -> tuple[str, ...]:
    """The check of the first planted copy as a log, with the whole study on it."""
    if check.differing:
        text = gettext("Read again as a log, {n} of {units} users differ from what was planted: please report it.")
    else:
        text = gettext("Read again as a log, all {units} users are as they were planted: retention and every count.")
    first = text.format(n=count(check.differing), units=count(check.units))
    if check.place is None:
        text = gettext("A whole study of that log doesn't list the planted behaviour among its {n} candidates.")
        return first, text.format(n=count(check.candidates))
    text = gettext("A whole study of that log lists the planted behaviour as number {place} of {n} candidates.")
    second = text.format(place=count(check.place), n=count(check.candidates))
    return first, second


def shortfall_words(found: Shortfall) -> str:
    """Why these data can't show something, with what would help."""
    figures = found.figures
    match found.why:
        case Why.TOO_SMALL:
            text = gettext(
                "Too few users: {n} have a known retention and {retained} of them were retained. A study needs "
                "{needed}, with {each} retained and {each} not."
            )
            return text.format(
                n=count(int(figures["n"])),
                retained=count(int(figures["retained"])),
                needed=count(int(figures["needed"])),
                each=count(int(figures["needed_each"])),
            )
        case Why.NO_BEHAVIOUR:
            return gettext(
                "No behaviour may be a candidate: those in the log are done by nearly everybody, in the first session, "
                "or came later than the users."
            )
        case Why.NOBODY_REACHES:
            text = gettext(
                "No behaviour is done at least twice by 5 to 80 per cent of the users. Nearest is {behaviour}, {times} "
                "within {days}: {reach} of them."
            )
            return text.format(
                behaviour=display_name(str(figures["behaviour"])),
                times=times_words(int(figures["times"])),
                days=days_words(int(figures["days"])),
                reach=percent(float(figures["reach"])),
            )
        case Why.FEW_COUNTS:
            text = gettext(
                "Users did {behaviour} in too few different numbers of times to tell a jump from a smooth rise."
            )
            return text.format(behaviour=display_name(str(figures["behaviour"])))
        case Why.LOW_DETECTION:
            text = gettext(
                "A jump of 5 points at {times} of {behaviour} would be found in {share} only (mean of {n} studies): "
                "too few users are near it. A study then says 'cannot tell'."
            )
            return text.format(
                times=times_words(int(figures["times"])),
                behaviour=display_name(str(figures["behaviour"])),
                share=percent(float(figures["share"])),
                n=count(int(figures["n"])),
            )
    return _more_words(found)


def _more_words(found: Shortfall) -> str:
    figures = found.figures
    match found.why:
        case Why.LOW_POWER:
            if "needed" not in figures:
                return gettext("No number of users is enough for the experiment.")
            text = gettext(
                "Too few users for the experiment: with {n} it finds the planted effect in {power}. It needs {needed} "
                "to find it in 80 %."
            )
            return text.format(
                n=count(int(figures["n"])), power=percent(float(figures["power"])), needed=count(int(figures["needed"]))
            )
        case Why.NO_ROOM:
            text = gettext("So many users stay anyway that of {effect} points only {fits} fit.")
            return text.format(
                effect=decimal(100 * float(figures["effect"]), 1), fits=decimal(100 * float(figures["fits"]), 1)
            )
        case Why.NOT_APART:
            text = gettext(
                "In {k} of {n} studies of a planted threshold something is found in {behaviour} that isn't called a "
                "jump: retention rises at the numbers beside it nearly as much, or users who never did it explain it."
            )
            return text.format(
                k=count(int(figures["k"])),
                n=count(int(figures["n"])),
                behaviour=display_name(str(figures["behaviour"])),
            )
        case Why.NO_TRAIT:
            return gettext(
                "Nothing that is known at signup divides users, each part at least 10 %: send a property such as the "
                "platform with the start event. Until then no segment difference can be seen."
            )
        case Why.FEW_BEHAVIOURS:
            text = gettext("A style of play needs {needed} behaviours to differ in; the log has {n}.")
            return text.format(needed=count(int(figures["needed"])), n=count(int(figures["n"])))
    text = gettext("Too few users were active often enough within {days} to look for styles of play.")
    return text.format(days=days_words(int(figures["days"])))


def planned_words(row: Tally) -> str:
    """The nominal error rate."""
    return "" if row.planned is None else percent(row.planned, 0)


def verdict_words(row: Tally) -> str:
    """Whether there are more errors than the nominal rate, as far as so few copies show."""
    found = row.share
    if isinstance(found, NotComputable) or row.planned is None:
        return "–"
    return gettext("more than promised") if row.is_off else gettext("no sign of more")


def interval_note() -> str:
    """Note on the intervals."""
    return gettext("Shares with exact intervals (Clopper and Pearson, 95 %) over the copies; each copy is drawn anew.")
