"""A forecast of growth as sentences, tables, a chart and one JSON document. Pure."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from events.metrics.sentences import metric_words
from launches.growth.model import GrowthReport, Lever, Unmoved
from reporting.charts import BLUE, GREY, ORANGE, Drawing, Drawn, alt, data, date_axis, reading, readings
from reporting.document import dump, outward
from reporting.numbers import between, count, day_text, decimal, level_text, limits, percent, signed_percent
from reporting.table import Part, Table, drawings
from reporting.words import gettext, reason_words
from stats.growth_chain import FEWEST_ORIGINS, LEVEL, BackTest, Band, Naive, NoBackTest, Rate
from stats.results import Interval, NotComputable, computable

WIDTH, HEIGHT = 640, 280
SHOWN_PAST = 104  # weeks of the past on the chart
ENOUGH_SPANS = 4  # of the past without overlap: fewer say little
FEW_HELD = 0.6  # of forecasts by a band of 80 %: below it the band isn't what it says (docs/methods/growth.md)


# ── Sentences ─────────────────────────────────────────────────────────────────
def rate_words(rate: Rate | None) -> str:
    """Of which users a rate is; None: the number of new users."""
    if rate is None:
        return gettext("number of new users")
    return {
        Rate.NEW: gettext("new users (NURR)"),
        Rate.CURRENT: gettext("current users (CURR)"),
        Rate.REACTIVATED: gettext("reactivated users (RURR)"),
        Rate.RESURRECTED: gettext("resurrected users (SURR)"),
        Rate.SILENT_1: gettext("at risk, silent for 1 week"),
        Rate.SILENT_2: gettext("at risk, silent for 2 weeks"),
        Rate.SILENT_3: gettext("at risk, silent for 3 weeks"),
        Rate.DORMANT: gettext("dormant for 4 to 12 weeks"),
        Rate.DORMANT_13: gettext("dormant for 13 to 25 weeks"),
        Rate.DORMANT_26: gettext("dormant for 26 weeks or more"),
    }[rate]


def headline(report: GrowthReport) -> str:
    """Active users now and at the end, with the band."""
    return gettext("Active users of a week: {now} now, {then} in {weeks} weeks ({level} band {band}).").format(
        now=count(report.past[-1].active),
        then=_users(report.end.middle),
        weeks=report.ahead,
        level=level_text(LEVEL),
        band=between(_users(report.end.low), _users(report.end.high)),
    )


def assumed_words(report: GrowthReport) -> str:
    """What the forecast assumes, and what it is learned from."""
    return gettext(
        "Learned from {weeks} weeks up to {day}. It assumes that rates and new users stay as they are now, give or "
        "take what they moved in the past; a trend or a season isn't carried on."
    ).format(weeks=len(report.past), day=day_text(report.past[-1].last))


def tested_words(report: GrowthReport) -> str:
    """How well the past was forecast, at the longest horizon that separate spans of the past could test."""
    tested = [row for row in report.tested if isinstance(row, BackTest)]
    if not tested:
        return gettext(
            "Not tested on this site's past: the log is too short for {n} forecasts. Don't plan by the band yet."
        ).format(n=FEWEST_ORIGINS)
    sound = [row for row in tested if row.separate >= ENOUGH_SPANS]
    shown, last = (sound or tested)[-1], tested[-1]
    text = gettext(
        "On this site's past, {ahead} weeks ahead, the {level} band held what came in {share} of {n} forecasts "
        "({separate} without overlap); it erred by {error}, and “{naive}” by {naive_error}."
    ).format(
        ahead=shown.ahead,
        level=level_text(LEVEL),
        share=percent(shown.covered, 0),
        n=shown.origins,
        separate=shown.separate,
        error=percent(shown.error),
        naive=naive_words(shown.naive),
        naive_error=percent(shown.naive_error),
    )
    if shown.covered < FEW_HELD:
        text += " " + gettext("That is too few: don't plan by this band.")
    if last.ahead < report.ahead:
        text += " " + gettext("More than {ahead} weeks ahead nothing was tested.").format(ahead=last.ahead)
    return text


def naive_words(naive: Naive) -> str:
    """What a forecast is compared with."""
    if naive is Naive.YEAR:
        return gettext("the same growth as a year before")
    return gettext("the last known level")


def lever_words() -> str:
    """What the levers assume."""
    return gettext(
        "Assumed: everybody of that state gets it, the effect stays for good, and it moves the rate by the same share "
        "as it moved the experiment's own outcome. Effects of several levers don't simply add up."
    )


def unmoved_words(why: Unmoved) -> str:
    """Why an experiment moves nothing here."""
    return {
        Unmoved.NO_RETENTION: gettext("its outcome isn't a retention, so it moves no rate here"),
        Unmoved.NO_EFFECT: gettext("its effect couldn't be computed"),
        Unmoved.NO_LEVEL: gettext("nobody was active without it"),
    }[why]


# ── Tables ────────────────────────────────────────────────────────────────────
def states_table(report: GrowthReport) -> Table:
    """Users of each state now."""
    now = report.states
    rows = (
        (gettext("new"), count(now.new), gettext("first visit in this week")),
        (gettext("current"), count(now.current), gettext("active in this week and in the week before")),
        (gettext("reactivated"), count(now.reactivated), gettext("back after 1 to 3 silent weeks")),
        (gettext("resurrected"), count(now.resurrected), gettext("back after 4 or more silent weeks")),
        (gettext("at risk"), count(now.at_risk), gettext("no visit for 7 to 27 days")),
        (gettext("dormant"), count(now.dormant), gettext("no visit for 28 days or more")),
    )
    columns = (gettext("state"), gettext("users"), gettext("meaning"))
    return Table(gettext("Users by state, last week"), columns, rows)


def rates_table(report: GrowthReport) -> Table:
    """Each rate with its interval, and what one more point is worth."""
    worths = {row.rate: row.worth for row in report.worth}
    rows = []
    for row in report.forecast.transitions:
        now = row.now
        scatter = _scatter(row.scatter) if computable(row.scatter) else ""
        shown = limits(now.estimate, now.low, now.high) if computable(now) else gettext("nobody was in this state yet")
        worth = _worth(worths[row.rate]) if computable(now) else "–"
        rows.append((rate_words(row.rate), shown, scatter, count(row.n), worth))
    columns = (
        gettext("users who were"),
        gettext("active in the next week"),
        gettext("a single week scatters by"),
        gettext("users × weeks"),
        gettext("one more point: extra active users in {weeks} weeks").format(weeks=report.ahead),
    )
    note = gettext("Ranges: {level}. One percent more new users ({new} a week now): {worth} more active users.").format(
        level=level_text(LEVEL), new=_number(report.forecast.new), worth=_worth(worths[None])
    )
    return Table(gettext("Rates by week, and what one more point is worth"), columns, tuple(rows), note)


def forecast_table(report: GrowthReport) -> Table:
    """The band of each week ahead."""
    rows = tuple(
        (day_text(day), _users(band.middle), between(_users(band.low), _users(band.high)))
        for day, band in zip(report.weeks_ahead, report.forecast.active, strict=True)
    )
    columns = (gettext("week up to"), gettext("active users"), gettext("{level} band").format(level=level_text(LEVEL)))
    return Table(gettext("Forecast by week"), columns, rows)


def levers_table(report: GrowthReport) -> Table | None:
    """Finished experiments and what they would be worth; None without any."""
    if not report.levers:
        return None
    columns = (
        gettext("experiment"),
        gettext("outcome"),
        gettext("rate that it moves"),
        gettext("effect"),
        gettext("extra active users in {weeks} weeks").format(weeks=report.ahead),
    )
    return Table(gettext("Levers"), columns, tuple(_lever_row(row) for row in report.levers), lever_words())


def _lever_row(row: Lever) -> tuple[str, ...]:
    one = row.of
    name = gettext("{name} (lab)").format(name=one.name) if one.is_lab else one.name
    if one.why is not None or one.lift is None or row.worth is None:
        why = "" if one.why is None else unmoved_words(one.why)
        return name, metric_words(one.outcome), "–", "–", why
    lift = (
        f"{signed_percent(one.lift.estimate)} ({between(signed_percent(one.lift.low), signed_percent(one.lift.high))})"
    )
    return name, metric_words(one.outcome), rate_words(one.rate), lift, _number(row.worth)


def tested_table(report: GrowthReport) -> Table:
    """The back-test by horizon."""
    rows = tuple(_tested_row(row) for row in report.tested)
    columns = (
        gettext("weeks ahead"),
        gettext("forecasts"),
        gettext("without overlap"),
        gettext("band held"),
        gettext("mean error"),
        gettext("error of the naive forecast"),
    )
    note = gettext(
        "A band of {level} should hold {level} of what came. Forecasts that overlap share their luck."
    ).format(level=level_text(LEVEL))
    return Table(gettext("Forecasts of this site's past"), columns, rows, note)


def _tested_row(row: BackTest | NoBackTest) -> tuple[str, ...]:
    if isinstance(row, NoBackTest):
        return str(row.ahead), reason_words(row.why), "", "", "", ""
    naive = f"{percent(row.naive_error)}, {naive_words(row.naive)}"
    return (str(row.ahead), count(row.origins), count(row.separate), percent(row.covered, 0), percent(row.error), naive)


def _scatter(value: float) -> str:
    return gettext("±{scatter} points").format(scatter=percent(value).removesuffix("%"))


def _users(value: float) -> str:
    return count(round(value))


def _worth(value: Interval | NotComputable) -> str:
    return _number(value) if computable(value) else reason_words(value)


def _number(value: Interval) -> str:
    if max(abs(value.low), abs(value.high)) < 10:
        return f"{decimal(value.estimate, 1)} ({between(decimal(value.low, 1), decimal(value.high, 1))})"
    return f"{_users(value.estimate)} ({between(_users(value.low), _users(value.high))})"


# ── Parts of the page ─────────────────────────────────────────────────────────
def parts(report: GrowthReport) -> list[Part]:
    """The parts below the first sentence."""
    shown = [
        Part(
            "growth-forecast",
            gettext("How many users will be active?"),
            assumed_words(report),
            forecast_table(report),
            draw=partial(_draw, report),
        ),
        Part("growth-tested", gettext("How well was the past forecast?"), tested_words(report), tested_table(report)),
        Part(
            "growth-states",
            gettext("Where are the users now?"),
            gettext("{active} were active in the week up to {day}, {new} of them for the first time.").format(
                active=count(report.past[-1].active), day=day_text(report.past[-1].last), new=count(report.past[-1].new)
            ),
            states_table(report),
        ),
        Part("growth-rates", gettext("What is one more point worth?"), _best_words(report), rates_table(report)),
    ]
    levers = levers_table(report)
    if levers is not None:
        shown.append(
            Part("growth-levers", gettext("What would finished experiments move?"), _moves_words(report), levers)
        )
    return shown


def _moves_words(report: GrowthReport) -> str:
    return gettext("{n} of {all} finished experiments with a valid result move a rate.").format(
        n=sum(row.worth is not None for row in report.levers), all=len(report.levers)
    )


def _best_words(report: GrowthReport) -> str:
    active = [row for row in report.worth if row.rate in (Rate.NEW, Rate.CURRENT, Rate.REACTIVATED, Rate.RESURRECTED)]
    best = max(active, key=lambda row: row.worth.estimate if computable(row.worth) else float("-inf"))
    return gettext(
        "Of users who are active, one more point is worth most among {state}: {worth} more in {weeks} weeks."
    ).format(state=rate_words(best.rate), worth=_worth(best.worth), weeks=report.ahead)


def draw(report: GrowthReport, slug: str = "") -> tuple[Drawing, ...]:
    """The chart of a forecast."""
    return drawings(parts(report), slug)


def _draw(report: GrowthReport) -> Drawn:
    past = report.past[-SHOWN_PAST:]
    now = past[-1]
    bands = [Band(now.active, now.active, now.active), *report.forecast.active]
    ahead = [
        {"day": day.isoformat(), "value": band.middle, "low": band.low, "high": band.high}
        for day, band in zip((now.last, *report.weeks_ahead), bands, strict=True)
    ]
    names = (gettext("measured"), gettext("forecast"))
    lines = [{"day": row.last.isoformat(), "value": row.active, "name": names[0]} for row in past]
    lines += [{"day": row["day"], "value": row["value"], "name": names[1]} for row in ahead]
    days = [*(row.last for row in past), *report.weeks_ahead]
    x = date_axis(days, gettext("week up to"), width=WIDTH)
    y = alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=True))
    legend = alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=2, title=None)
    colour = alt.Color("name:N", scale=alt.Scale(domain=list(names), range=[BLUE, ORANGE]), legend=legend)
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=list(names), range=[[1, 0], [6, 3]]), legend=legend)
    texts = {row.last.isoformat(): reading(day_text(row.last), [(names[0], count(row.active))]) for row in past}
    for day, band in zip(report.weeks_ahead, report.forecast.active, strict=True):
        text = f"{_users(band.middle)} ({between(_users(band.low), _users(band.high))})"
        texts[day.isoformat()] = reading(day_text(day), [(names[1], text)])
    layers = alt.layer(
        alt.Chart(data(ahead))
        .mark_area(opacity=0.16, color=ORANGE)
        .encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q"),
        alt.Chart(data(lines))
        .mark_line(strokeWidth=1.8)
        .encode(x=x, y=y, color=colour, strokeDash=dash, description="name:N"),
        alt.Chart(data([{"day": now.last.isoformat()}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=x),
        readings(x, "day", texts),
    )
    return layers.properties(width=WIDTH, height=HEIGHT), len(lines) + len(ahead)


# ── JSON and terminal ─────────────────────────────────────────────────────────
def document(report: GrowthReport) -> dict[str, Any]:
    """The forecast for other programs."""
    content: dict[str, Any] = {
        "sentence": headline(report),
        "weeks": report.ahead,
        "seed": report.seed,
        "data_up_to": report.past[-1].last.isoformat(),
        "past": [dump(row) for row in report.past],
        "states": dump(report.states),
        "rates": [dump(row) for row in report.forecast.transitions],
        "new_users": dump(report.forecast.new),
        "forecast": [
            {"week_up_to": day.isoformat(), **dump(band)}
            for day, band in zip(report.weeks_ahead, report.forecast.active, strict=True)
        ],
        "one_more_point": [dump(row) for row in report.worth],
        "levers": [{**dump(row.of), "worth": dump(row.worth)} for row in report.levers],
        "back_test": [dump(row) for row in report.tested],
    }
    return outward(content)  # type: ignore[no-any-return]


def lines(report: GrowthReport) -> Iterator[str]:
    """The sentences as a terminal prints them."""
    yield headline(report)
    yield assumed_words(report)
    yield tested_words(report)


def tables(report: GrowthReport) -> Iterator[Table]:
    """The tables as a terminal prints them."""
    levers = levers_table(report)
    yield rates_table(report)
    yield forecast_table(report)
    if levers is not None:
        yield levers
    yield tested_table(report)
