"""A study as tables of text for its page: the same rows stand behind each chart. Pure."""

from aha.report import findings, words
from aha.report.series import ranked, tied
from aha.study.choice import Pick
from aha.study.exhibits import NullPicture
from aha.study.result import Controls, Judged, Report
from events.metrics import display_name
from reporting.numbers import between, count, decimal, difference, limits, number, p_text, p_value, percent, share
from reporting.table import Row, Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def flow(report: Report) -> Table:
    """From signups to retained units; the numbers add up."""
    found = report.population
    rows: list[Row] = [(gettext("signed up in the cohort"), count(found.signups))]
    for code, n in found.excluded.items():
        why = words.exclusion_words(code)
        rows.append((gettext("left out: {why}").format(why=why), count(n)))
    rows.append((gettext("eligible"), count(found.eligible)))
    rows.append((gettext("of the eligible: retained"), f"{count(found.retained)}, {share(found.rate)}"))
    if report.parts:
        names = {
            "train": gettext("of the eligible: choose the rule's number, judge that of a jump"),
            "hold_out": gettext("of the eligible: judge the rule's number, show whether retention jumps"),
            "later": gettext("of the eligible: later cohorts, to see whether it lasts"),
        }
        rows += [(names[name], count(n)) for name, n in report.parts.items()]
    note = ""
    if found.first_signup is not None:
        note = gettext("Signed up from {first} to {last}. Who is too young is left out, never counted as gone.")
        note = note.format(first=found.first_signup, last=found.last_signup)
    return Table(gettext("Who counts"), (gettext("step"), gettext("users")), tuple(rows), note)


def candidates(report: Report) -> Table:
    """All candidates side by side."""
    columns = (
        gettext("candidate"), gettext("does it jump?"), gettext("reach"), gettext("stay of the doers"),
        gettext("stay of the others"), gettext("J where it was not chosen"),
        gettext("left when all is held equal, points"), gettext("marks"),
    )  # fmt: skip
    rows = tuple(
        (
            words.claim_words(row), words.step_words(row.step, row.smooth_range),
            share(row.cell.reach),
            share(row.cell.ppv), share(row.cell.retained_without),
            number(row.honest_j), difference(row.ladder.rungs[3].difference),
            words.marks(row.flags),
        )
        for row in report.candidates
    )  # fmt: skip
    note = gettext(
        "Shares over all eligible users with the 95 % CI of one cell; a chosen cell looks too good, so read J where "
        "it was not chosen. Order: a jump first, then what beats equally active users."
    )
    if report.more_candidates:
        more = gettext("Behaviours that would qualify, too, and are not followed up: {n}.")
        note += " " + more.format(n=report.more_candidates)
    return Table(gettext("Candidates side by side"), columns, rows, note)


def curves(report: Report) -> Table:
    """Retention by day, of all and by segment, with the plateau."""
    named = [(gettext("all users"), report.curve), *((row.segment, row.curve) for row in report.segment_curves)]
    rows = tuple(
        (name, str(point.day), limits(point.share, point.low, point.high), count(point.units))
        for name, found in named
        for point in found.points
    )
    note = " ".join(f"{name}: {findings.curve(found)}" for name, found in named)
    columns = (gettext("users"), gettext("day"), gettext("active on that day"), gettext("n"))
    return Table(gettext("Share of users active by day"), columns, rows, note)


def ranking(report: Report) -> Table | None:
    """The features of the model with their ranks; None without a ranking."""
    rows = ranked(report)
    if not rows:
        return None
    kinds = {
        "behaviour": gettext("behaviour"),
        "activity": gettext("activity"),
        "attribute": gettext("known at signup"),
    }
    columns = (
        gettext("feature"), gettext("kind"), gettext("rank of its group (95 % CI)"), gettext("tied"),
        gettext("mean |SHAP|, log-odds"), gettext("of its group"), gettext("direction (−1 to 1)"),
    )  # fmt: skip
    texts = tuple(
        (
            findings.feature_name(row), kinds[row.kind],
            f"{row.rank} ({between(str(row.rank_low), str(row.rank_high))})",
            gettext("yes") if tied(row, rows) else "", decimal(row.importance, 3),
            decimal(row.group_importance, 3), number(row.direction, 2),
        )
        for row in rows
    )  # fmt: skip
    note = gettext(
        "Predictive, not causal. Features that move together share one rank; where ranges of ranks overlap, the order "
        "is not known. Direction: does more of it raise the prediction?"
    )
    return Table(gettext("Ranks of what the model leans on"), columns, texts, note)


def nulls(report: Report) -> Table:
    """Both nulls in numbers."""
    rows = tuple(
        (name, *_null(picture))
        for name, picture in (
            (gettext("luck"), report.luck),
            (gettext("equally active users"), report.active),
        )
    )
    columns = (
        gettext("compared with"), gettext("largest |z| of the data"), gettext("largest |z| by chance, 95th percentile"),
        gettext("adjusted p of the best cell"), gettext("cells tested"), gettext("shuffles"),
    )  # fmt: skip
    note = gettext("Retention is shuffled within signup week and segment; in the second row also within active days.")
    return Table(gettext("Better than chance?"), columns, rows, note)


def _null(picture: NullPicture | NotComputable) -> tuple[str, ...]:
    if not computable(picture):
        return (reason_words(picture), "", "", "", "")
    total, seen, at = sum(picture.counts), 0, picture.edges[-1]
    for place, n in enumerate(picture.counts):
        seen += n
        if seen >= 0.95 * total:
            at = picture.edges[place + 1]
            break
    return (
        decimal(picture.observed, 1), decimal(at, 1), p_value(picture.smallest_p), count(picture.tested),
        count(picture.permutations),
    )  # fmt: skip


def weeks(report: Report) -> Table:
    """Retention by signup week."""
    rows = tuple((row.week, count(row.units), count(row.retained), share(row.share)) for row in report.weeks)
    columns = (gettext("week of signup (Monday)"), gettext("users"), gettext("retained"), gettext("share"))
    return Table(gettext("Retention by signup week"), columns, rows)


def controls(found: Controls) -> Table | None:
    """The negative controls; None when nobody named any."""
    if not found.rows:
        return None
    rows = tuple(
        (
            words.cell_words(row.behaviour, row.times, row.days),
            difference(row.adjusted),
        )
        for row in found.rows
    )
    columns = (gettext("inert behaviour"), gettext("left when all is held equal, points"))
    return Table(gettext("Negative controls"), columns, rows)


def judged(report: Report) -> Table:
    """Every behaviour: what the rule picked, whether retention jumps, what was taken, and its marks."""
    columns = (
        gettext("behaviour"), gettext("pick of the rule"), gettext("share of picks"),
        gettext("does it jump? (p, adjusted)"), gettext("taken"), gettext("marks"),
    )  # fmt: skip
    rows = tuple((display_name(row.behaviour), *_judged(row)) for row in report.judged)
    return Table(gettext("All behaviours"), columns, rows, words.choice_caption())


def _judged(row: Judged) -> tuple[str, ...]:
    choice, step = row.choice, row.step
    picked = (
        (pick_words(choice.recommended), percent(choice.recommended.share, 0))
        if computable(choice)
        else (reason_words(choice), "")
    )
    if step is None:
        jump = gettext("not tested: negative control")
    elif step.reason is not None:
        jump = reason_words(step.reason)
    else:
        # A p-value never stands without its word: small alone it is no jump, large alone no smooth curve.
        p = step.adjusted_p_value
        jump = gettext("{words} (largest step at {times} within {days}; {p})").format(
            words=words.step_words(step.verdict, step.smooth_range),
            times=words.times_words(step.times),
            days=words.days_words(step.days),
            p=p_text(p) if computable(p) else reason_words(p),
        )
    taken = pick_words(row.chosen) if computable(row.chosen) else ""
    return (*picked, jump, taken, words.marks(row.flags))


def marks(report: Report) -> Table | None:
    """Marks of behaviours and what each means; None when there is none."""
    if not report.flags:
        return None
    rows = tuple(
        (
            display_name(row.behaviour), words.flag_words(row.flag.value),
            "" if row.value is None else decimal(row.value, 2), display_name(row.other or ""),
            words.flag_sentence(row.flag.value),
        )
        for row in report.flags
    )  # fmt: skip
    columns = (gettext("behaviour"), gettext("mark"), gettext("measured"), gettext("with"), gettext("what it means"))
    return Table(gettext("Marked behaviours"), columns, rows)


def invalid(report: Report) -> Table | None:
    """Days that were asked for and not computed; None when all were."""
    if not report.asked.invalid_days:
        return None
    rows = tuple((str(row.days), reason_words(row.reason)) for row in report.asked.invalid_days)
    return Table(gettext("Days that were not computed"), (gettext("within days"), gettext("reason")), rows)


def samples(report: Report) -> Table:
    """How many units each computation used, and its seed."""
    names = {
        "eligible": gettext("cells"), "sample": gettext("nulls, choice, steps, ladder"),
        "model": gettext("models"), "explained": gettext("SHAP"),
    }  # fmt: skip
    rows = [(names.get(name, name), count(n), "") for name, n in report.samples.items()]
    rows += [(gettext("seed of {name}").format(name=name), "", str(seed)) for name, seed in report.seeds.items()]
    columns = (gettext("computation"), gettext("users"), gettext("seed"))
    return Table(gettext("Samples and seeds"), columns, tuple(rows))


def pick_words(pick: Pick) -> str:
    """A cell without its behaviour."""
    text = gettext("{times} within {days}")
    return text.format(times=words.times_words(pick.times), days=words.days_words(pick.days))
