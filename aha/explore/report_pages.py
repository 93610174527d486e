"""The views of Explore in their order: name, question, how an answer is shown. Pure."""

from collections import defaultdict
from datetime import timedelta

from aha.explore import behaviour_dates, levels_by_week, retention_triangle, times_done
from aha.explore.question import ACTIVITY, FUNNEL, LEVELS, LIFECYCLE, RETENTION, TIMES, Question
from aha.explore.report_parts import (
    PALETTE,
    RATIO_NAMES,
    Cell,
    Draw,
    Payload,
    Ratio,
    Shown,
    behaviour_name,
    compared,
    day,
    difference,
    left_out,
    series_of,
    top_of,
    week_places,
    who,
)
from reporting.charts import INK, date_ticks, mondays, reading
from reporting.numbers import between, count, day_text, decimal, percent, points
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import days_words, gettext, week_words

# New, current, returning and dormant users of each week. Pure.

KINDS = ("new", "current", "returning", "dormant")


def kind_name(kind: str) -> str:
    """A kind in words."""
    return {
        "new": gettext("new"),
        "current": gettext("current"),
        "returning": gettext("returning"),
        "dormant": gettext("dormant"),
    }[kind]


def user_weeks_shown(question: Question, payload: Payload) -> Shown:
    """Charts and tables of the view."""
    weeks = _weeks(payload)
    return Shown(
        finding=_user_weeks_finding(payload, weeks),
        notes=(
            gettext(
                "New: signed up in this week. Current: active in this week and in the week before. Returning: active "
                "in this week and not in the week before. Dormant: active in the week before and not in this one."
            ),
            left_out(payload, len(weeks)),
            *who(question, payload),
        ),
        sheets=(_user_weeks_chart(payload, weeks),),
        tables=(_user_weeks_table(payload, weeks),),
        names=("week", "segment", *KINDS, "active", "complete"),
        rows=tuple(_user_weeks_file_rows(payload)),
    )


def _weeks(payload: Payload) -> dict[str, dict[str, int]]:
    weeks: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for row in payload["rows"]:
        for kind in KINDS:
            weeks[row["week"]][kind] += row[kind]
    return dict(sorted(weeks.items()))


def is_over(payload: Payload, week: str) -> bool:
    """Whether the data hold the whole week."""
    return day(payload["today"]) >= day(week) + timedelta(days=7)


def _user_weeks_finding(payload: Payload, weeks: dict[str, dict[str, int]]) -> str:
    over = [week for week in weeks if is_over(payload, week)]
    if not over:
        return gettext("No week is complete yet.")
    last = weeks[over[-1]]
    text = gettext(
        "In the week of {week}, {active} users were active: {new} new, {current} current, {returning} returning; "
        "{dormant} of the week before stayed away."
    )
    active = last["new"] + last["current"] + last["returning"]
    return text.format(week=day_text(over[-1]), active=count(active), **{kind: count(last[kind]) for kind in KINDS})


def _user_weeks_chart(payload: Payload, weeks: dict[str, dict[str, int]]) -> Sheet:
    high = top_of([row["new"] + row["current"] + row["returning"] for row in weeks.values()])
    low = -top_of([row["dormant"] for row in weeks.values()])
    places = week_places(weeks)
    sheet = Sheet("lifecycle", gettext("Users by week"), (-0.6, max(places.values(), default=0) + 0.6), (low, high))
    sheet.count_axis(gettext("users"))
    sheet.x_axis(gettext("week, Monday"), date_ticks(mondays(map(day, weeks))))
    for week, row in weeks.items():
        place = places[week]
        hatched, base = not is_over(payload, week), 0.0
        for kind in ("current", "returning", "new", "dormant"):
            ends = (0.0, -float(row[kind])) if kind == "dormant" else (base, base + row[kind])
            base = base if kind == "dormant" else ends[1]
            title = f"{week}, {kind_name(kind)}: {count(row[kind])}"
            if hatched:
                title = gettext("{what} (week not complete)").format(what=title)
            with sheet.named(kind_name(kind)):
                sheet.bar((place - 0.38, place + 0.38), ends, PALETTE[kind], title, hatched=hatched)
    sheet.legend([(kind_name(kind), PALETTE[kind]) for kind in KINDS])
    said = [(places[week], _week_said(payload, week, row)) for week, row in weeks.items()]
    periods = [(day(week), day(week) + timedelta(days=6)) for week in weeks]
    sheet.readings(said, [f"at={week}" for week in weeks], periods)
    return sheet


def _week_said(payload: Payload, week: str, row: dict[str, int]) -> str:
    heading = week_words(day_text(week))
    if not is_over(payload, week):
        heading = gettext("{what} (week not complete)").format(what=heading)
    return reading(heading, [(kind_name(kind), count(row[kind])) for kind in KINDS])


def _user_weeks_table(payload: Payload, weeks: dict[str, dict[str, int]]) -> Table:
    rows: tuple[Row, ...] = tuple(
        (week, *(count(row[kind]) for kind in KINDS), gettext("yes") if is_over(payload, week) else gettext("not yet"))
        for week, row in reversed(weeks.items())
    )
    columns = (gettext("week, Monday"), *map(kind_name, KINDS), gettext("week complete"))
    return Table(gettext("Users by week in numbers"), columns, rows)


def _user_weeks_file_rows(payload: Payload) -> list[tuple[Cell, ...]]:
    names = {line.key: line.name for line in series_of(payload)}
    return [
        (
            row["week"],
            names.get(row["segment"], row["segment"]),
            *(row[kind] for kind in KINDS),
            row["new"] + row["current"] + row["returning"],
            int(is_over(payload, row["week"])),
        )
        for row in sorted(payload["rows"], key=lambda row: (row["week"], row["segment"]))
    ]


# A funnel of two to five steps: how many users reached each step, and how long it took. Pure.

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def funnel_steps_shown(question: Question, payload: Payload) -> Shown:
    """Charts and tables of the view."""
    steps = [behaviour_name(step) for step in question.parsed_steps]
    text = gettext(
        "Users count when they have completed the first {days}, and only what they do on these days. Each step must "
        "come later than the one before; other events may lie between them."
    )
    return Shown(
        finding=_funnel_steps_finding(payload, steps, question.days),
        notes=(text.format(days=days_words(question.days)), *who(question, payload)),
        sheets=(_funnel_steps_chart(payload, steps),),
        tables=(_funnel_steps_table(payload, steps), *_last_step(payload)),
        names=(
            "segment",
            "step",
            "behaviour",
            "reached",
            "eligible",
            *RATIO_NAMES,
            "share_of_step_before",
            "median_seconds",
        ),
        rows=tuple(_funnel_steps_file_rows(payload, steps)),
    )


def duration(seconds: float | None) -> str:
    """A time in the unit that reads best; empty for none."""
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return gettext("{number} s").format(number=decimal(seconds, 0))
    if seconds < HOUR:
        return gettext("{number} min").format(number=decimal(seconds / MINUTE, 0))
    if seconds < 2 * DAY:
        return gettext("{number} h").format(number=decimal(seconds / HOUR, 1))
    return gettext("{number} days").format(number=decimal(seconds / DAY, 1))


def _funnel_steps_finding(payload: Payload, steps: list[str], days: int) -> str:
    users, reached = payload["everybody"]["users"], payload["everybody"]["reached"]
    if not users:
        return gettext("No user has completed the first {days} yet.").format(days=days_words(days))
    lines, found = series_of(payload), {row["segment"]: row for row in payload["rows"]}
    if all(line.key in found for line in lines):
        last = [Ratio(found[line.key]["reached"][-1], found[line.key]["users"]) for line in lines]
        what = gettext("{step} within {days}").format(step=steps[-1], days=days_words(days))
        if both := compared(what, lines, last):
            return both
    text = gettext("{share} of {users} users get from signup to {last} within {days}.")
    return text.format(share=Ratio(reached[-1], users), users=count(users), last=steps[-1], days=days_words(days))


def _funnel_steps_chart(payload: Payload, steps: list[str]) -> Sheet:
    lines = series_of(payload)
    rows = {row["segment"]: row for row in payload["rows"]}
    sheet = Sheet("funnel", gettext("Who comes how far"), (-0.5, len(steps) - 0.5), (0.0, 1.06), bottom=52.0)
    sheet.share_axis(gettext("share of the users whose days are complete"))
    sheet.x_axis(gettext("step"), [(place, _short(f"{place + 1}. {step}")) for place, step in enumerate(steps)])
    wide = 0.72 / max(len(lines), 1)
    for line in lines:
        row = rows.get(line.key)
        if row is None or not row["users"]:
            continue
        for place, reached in enumerate(row["reached"]):
            ratio = Ratio(reached, row["users"])
            left = place - 0.36 + wide * line.place
            text = gettext("{name}, {step}: {share}, {reached} of {users} users")
            title = text.format(
                name=line.name, step=steps[place], share=ratio, reached=count(reached), users=count(row["users"])
            )
            sheet.bar((left, left + wide * 0.94), (0.0, ratio.share), line.colour, title)
            sheet.interval(left + wide * 0.47, *ratio.limits, INK)
            if len(lines) <= 2:
                sheet.note(left + wide * 0.47, ratio.limits[1], percent(ratio.share))
    if len(lines) > 1:
        sheet.legend([(line.name, line.colour) for line in lines])
    return sheet


def _short(text: str) -> str:
    return text if len(text) <= 22 else f"{text[:21]}…"


def _funnel_steps_table(payload: Payload, steps: list[str]) -> Table:
    names = {line.key: line.name for line in series_of(payload)}
    rows: list[Row] = []
    for row in payload["rows"]:
        before = row["users"]
        for place, reached in enumerate(row["reached"]):
            rows.append(
                (
                    names.get(row["segment"], row["segment"]),
                    f"{place + 1}. {steps[place]}",
                    count(reached),
                    str(Ratio(reached, row["users"])),
                    str(Ratio(reached, before)) if before else "",
                    duration(row["seconds"][place]),
                )
            )
            before = reached
    columns = (
        gettext("users"),
        gettext("step"),
        gettext("did it"),
        gettext("of all (95% CI)"),
        gettext("of the step before (95% CI)"),
        gettext("median time since the step before"),
    )
    return Table(gettext("The funnel in numbers"), columns, tuple(rows))


def _last_step(payload: Payload) -> tuple[Table, ...]:
    lines = series_of(payload)
    rows = {row["segment"]: row for row in payload["rows"]}
    known = [line for line in lines if line.key in rows and rows[line.key]["users"]]
    if len(known) < 2:
        return ()
    first = Ratio(rows[known[0].key]["reached"][-1], rows[known[0].key]["users"])
    differences: list[Row] = []
    for line in known[1:]:
        ratio = Ratio(rows[line.key]["reached"][-1], rows[line.key]["users"])
        against = difference(ratio, first, len(known) - 1)
        if against is not None:
            estimate, low, high = against
            differences.append((line.name, str(ratio), f"{points(estimate)} ({between(points(low), points(high))})"))
    columns = (
        gettext("group"),
        gettext("share at the last step (95% CI)"),
        gettext("points against {name}").format(name=known[0].name),
    )
    note = gettext("A difference whose interval holds 0 isn't shown to be one, and none of them says why.")
    return (Table(gettext("Groups at the last step"), columns, tuple(differences), note),)


def _funnel_steps_file_rows(payload: Payload, steps: list[str]) -> list[tuple[Cell, ...]]:
    names = {line.key: line.name for line in series_of(payload)}
    rows: list[tuple[Cell, ...]] = []
    for row in payload["rows"]:
        before = row["users"]
        for place, reached in enumerate(row["reached"]):
            share = round(reached / before, 6) if before else None
            rows.append(
                (
                    names.get(row["segment"], row["segment"]),
                    place + 1,
                    steps[place],
                    *Ratio(reached, row["users"]).cells(),
                    share,
                    row["seconds"][place],
                )
            )
            before = reached
    return rows


DRAW: dict[str, Draw] = {
    RETENTION: retention_triangle.shown,
    ACTIVITY: behaviour_dates.shown,
    TIMES: times_done.shown,
    LIFECYCLE: user_weeks_shown,
    LEVELS: levels_by_week.shown,
    FUNNEL: funnel_steps_shown,
}


def show(question: Question, payload: Payload) -> Shown:
    """A result as the page shows it; without users only a sentence."""
    if not payload["users"]:
        finding = gettext("No user fits these filters.")
        return Shown(finding, who(question, payload), (), (), (), ())
    return DRAW[question.view](question, payload)


def titles() -> dict[str, tuple[str, str]]:
    """Name of each view, and the question that it answers."""
    return {
        RETENTION: (gettext("Retention"), gettext("How many users come back, week by week of signup?")),
        ACTIVITY: (gettext("Behaviour over time"), gettext("How many users do it, of the active and of the new?")),
        TIMES: (gettext("Times within days"), gettext("How often do new users do it, and who of them stays?")),
        LIFECYCLE: (gettext("Lifecycle"), gettext("Who is new, who comes back, who stays away?")),
        LEVELS: (gettext("Levels"), gettext("Who is at which level of activity, who moves up, who falls?")),
        FUNNEL: (gettext("Funnel"), gettext("How many new users get from step to step, and how fast?")),
    }


def preset_words(days: str) -> str:
    """Label of the choice of the last days."""
    return gettext("Last {n} days").format(n=days)


def stage_words(stage: str) -> str:
    """Label of a stage; "" while nothing but counting goes on, which the page says already."""
    return {
        "numbering": gettext("preparing the log for quick answers; the first time takes longest"),
        "counting": "",
    }.get(stage, gettext("waiting for another question"))
