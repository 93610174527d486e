"""The page of a self-test: sentences and tables of its report, also printed by the command. Pure."""

from datetime import datetime
from typing import Any

from events.catalogue.metric_page import rate_words
from events.metrics import display_name
from events.metrics.sentences import metric_words
from insight_site.selftest.planted_effects import Plant
from insight_site.selftest.selftest_result import Asks, CopyCheck, SelfTestReport, Shortfall, Tally, Why
from reporting.document import dump, outward
from reporting.numbers import count, decimal, minute_text, percent, share
from reporting.table import Table
from reporting.words import days_words, gettext, reason_words, times_words
from stats.results import Interval, NotComputable, computable

# Texts of a self-test: plants, questions, and reasons why something can't be shown. Pure.


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
    value = row.share
    return share(value) if isinstance(value, Interval) else "–"


def of_words(row: Tally) -> str:
    """ "5 of 100"."""
    return gettext("{k} of {n}").format(k=count(row.said), n=count(row.n))


def moment_words(report: SelfTestReport) -> str:
    """Where effects were planted, their size, and what the nudge does."""
    if report.planted is None:
        return gettext("There is no place to plant an effect in these data; below is why.")
    text = gettext(
        "Planted on {behaviour}, {times} within {days}: {reach} of the users do that by themselves. Doing it raises "
        "retention by {effect} points. A nudge goes to half of the users by hash, and {take_up} of them follow it."
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
    forecast = report.foretold
    if forecast is None:
        return ""
    text = gettext("The planner foretells that an experiment with these users finds the planted threshold in {power}.")
    return text.format(power=percent(forecast.power))


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


def shortfall_words(shortfall: Shortfall) -> str:
    """Why these data can't show something, with what would help."""
    figures = shortfall.figures
    match shortfall.why:
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
                "Users did {behaviour} in too few different numbers of times to separate a jump from a smooth rise."
            )
            return text.format(behaviour=display_name(str(figures["behaviour"])))
        case Why.LOW_DETECTION:
            text = gettext(
                "A jump of 5 points at {times} of {behaviour} would be found in {share} only (mean of {n} studies): "
                "too few users are near it. A study then says “can't say”."
            )
            return text.format(
                times=times_words(int(figures["times"])),
                behaviour=display_name(str(figures["behaviour"])),
                share=percent(float(figures["share"])),
                n=count(int(figures["n"])),
            )
    return _more_words(shortfall)


def _more_words(shortfall: Shortfall) -> str:
    figures = shortfall.figures
    match shortfall.why:
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
    text = gettext("Too few users were active often enough within {days} to search for styles of play.")
    return text.format(days=days_words(int(figures["days"])))


def planned_words(row: Tally) -> str:
    """The nominal error rate."""
    return "" if row.planned is None else percent(row.planned, 0)


def verdict_words(row: Tally) -> str:
    """Whether there are more errors than the nominal rate, as far as so few copies show."""
    value = row.share
    if isinstance(value, NotComputable) or row.planned is None:
        return "–"
    return gettext("more than promised") if row.is_off else gettext("no sign of more")


def interval_note() -> str:
    """Note on the intervals."""
    return gettext("Shares with exact intervals (Clopper and Pearson, 95 %) over the copies; each copy is drawn anew.")


def launch_words(report: SelfTestReport) -> str:
    """How a launch's curve would do on this site; "" without a date of the past."""
    tried = report.launches
    if tried is None:
        return ""
    text = gettext(
        "Launches supposed at {dates} separate dates of the past: a step of {effect} points is found at {found} of "
        "them, and where nothing was planted an effect is called at {called}."
    )
    return text.format(
        dates=count(tried.dates),
        effect=decimal(100 * tried.effect, 1),
        found=count(tried.found),
        called=count(tried.called),
    )


def shown(report: SelfTestReport) -> dict[str, Any]:
    """Content of the page."""
    return {
        "report": report,
        "headline": headline(report),
        "asked": asked_sentences(report),
        "found": found_table(report),
        "alarms": alarms_table(report),
        "shortfalls": [shortfall_words(row) for row in report.shortfalls],
        "check": check_words(report.check) if report.check else (),
        "metrics": metrics_table(report),
        "launches": launch_words(report),
    }


def headline(report: SelfTestReport) -> str:
    """The result in one or two sentences."""
    if report.planted is None:
        return gettext("These data can't show a planted threshold; below is why.")
    tallies = {(row.plant, row.asks): row for row in report.tallies}
    jump, causes = tallies[Plant.THRESHOLD, Asks.JUMP], tallies[Plant.THRESHOLD, Asks.CAUSES]
    text = gettext(
        "A real threshold: a study places it rightly in {jump}, and an experiment proves it in {causes}. {alarms}"
    )
    off = [row for row in report.false_alarms if row.is_off]
    if off:
        alarms = gettext("False alarms are more frequent than promised in {n} of {all} checks.")
        alarms = alarms.format(n=count(len(off)), all=count(len(report.false_alarms)))
    else:
        alarms = gettext("There is no sign of more false alarms than promised.")
    return text.format(jump=of_words(jump), causes=of_words(causes), alarms=alarms)


def asked_sentences(report: SelfTestReport) -> tuple[str, ...]:
    """The inputs: data, users, and planted effects."""
    question = report.asked
    start = gettext("Day 0: {event}. Outcome: {retention}. The data end at {end} UTC.")
    event = gettext("each user's first event of any kind") if question.signup_event == "*" else question.signup_event
    first = start.format(
        event=event,
        retention=metric_words(question.retention),
        end=minute_text(datetime.fromisoformat(report.data_end)),
    )
    sentences = (first, sample_words(report), moment_words(report), trait_words(report))
    return tuple(filter(None, (*sentences, power_words(report))))


def found_table(report: SelfTestReport) -> Table | None:
    """Table of planted effects found and missed."""
    rows = tuple(
        (plant_words(row.plant), asks_words(row.asks), of_words(row), share_words(row), count(row.n - row.said))
        for row in report.finds
    )
    if not rows:
        return None
    columns = (gettext("planted"), gettext("what is said"), gettext("said"), gettext("share"), gettext("not said"))
    note = gettext(
        "A mere correlation may well be a candidate: a study ranks what deserves an experiment, and proves no cause."
    )
    return Table(gettext("Found and missed"), columns, rows, f"{interval_note()} {note}")


def alarms_table(report: SelfTestReport) -> Table | None:
    """Table of false alarms."""
    rows = tuple(
        (
            plant_words(row.plant),
            asks_words(row.asks),
            of_words(row),
            share_words(row),
            planned_words(row),
            verdict_words(row),
        )
        for row in report.false_alarms
    )
    if not rows:
        return None
    columns = (
        *(gettext("planted"), gettext("what is said wrongly"), gettext("said"), gettext("share")),
        *(gettext("promised at most"), gettext("result")),
    )
    return Table(gettext("False alarms"), columns, rows, interval_note())


def metrics_table(report: SelfTestReport) -> Table | None:
    """Certified metrics on random halves of past users; None without any."""
    rows, every = [], len(report.metrics)
    for row in report.metrics:
        badge = row.badge
        if isinstance(badge, NotComputable):
            rows.append((row.key, count(row.version), "–", reason_words(badge)))
        elif computable(rate := badge.among(every)):
            off = gettext("not as promised") if badge.is_off(every) else gettext("as promised")
            rows.append((row.key, count(row.version), count(badge.n), f"{rate_words(rate, badge.splits)}: {off}"))
    if not rows:
        return None
    columns = (gettext("metric"), gettext("version"), gettext("users"), gettext("false alarms"))
    note = gettext("Users of past weeks in random halves that nothing was done to; of the tests 5 % may say otherwise.")
    return Table(gettext("Certified metrics on past weeks (A/A)"), columns, tuple(rows), note)


def document(report: SelfTestReport) -> dict[str, Any]:
    """The JSON document: every number, each share with n and interval, and the sentences of the reasons."""
    payload: dict[str, Any] = outward(dump(report))
    for row, tally in zip(payload["tallies"], report.tallies, strict=True):
        row |= {"share": outward(dump(tally.share)), "planned": tally.planned, "off": tally.is_off}
    for row, shortfall in zip(payload["shortfalls"], report.shortfalls, strict=True):
        row["sentence"] = shortfall_words(shortfall)
    return payload | {"headline": headline(report)}
