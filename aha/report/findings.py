"""What a study found, one plain sentence per part of its page; the titles of the charts say the same. Pure.

Whole sentences are translated, with named placeholders, because word order differs between languages.
"""

from aha.evidence.retention_curve import Curve
from aha.headline import headline_of, headline_words
from aha.report import words
from aha.report.series import cells_of, judged_of, ranked, splits, tied, week_rows
from aha.report.words import claim_words
from aha.study.candidates import AS_STRONG_AS_INERT
from aha.study.exhibits import JudgedBy
from aha.study.result import Candidate, Controls, Ranked, Report
from aha.study.step import StepVerdict
from events.metrics import display_name
from reporting.numbers import count, decimal, difference, p_text, percent, points
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable

# ── First of all ──────────────────────────────────────────────────────────────


def headline(report: Report) -> str:
    """The study in one sentence, as lists say it."""
    return headline_words(headline_of(report))


def claim(candidate: Candidate) -> str:
    """The claim as people say it, with what the data say about the number and with the caution that belongs to it."""
    cell = candidate.honest if computable(candidate.honest) else candidate.cell
    texts = {
        StepVerdict.JUMP: gettext(
            "Users who do {behaviour} at least {times} within {days} stay {did} against {other}: a jump at "
            "{number}. Only an experiment can tell whether it is the cause."
        ),
        StepVerdict.SMOOTH: gettext(
            "Users who do {behaviour} at least {times} within {days} stay {did} against {other}: no jump "
            "from {first} to {last} times within {tested_days}, so a number between them is a convention. Only an "
            "experiment can tell whether it is the cause."
        ),
        StepVerdict.CANNOT_TELL: gettext(
            "Users who do {behaviour} at least {times} within {days} stay {did} against {other}; whether "
            "it jumps at {number} can't be told. Only an experiment can tell whether it is the cause."
        ),
    }
    found = candidate.smooth_range
    # Version 0.3 said "smooth" without a range: nothing can be said about this number then.
    vague = candidate.step is StepVerdict.SMOOTH and found is None
    return texts[StepVerdict.CANNOT_TELL if vague else candidate.step].format(
        behaviour=display_name(candidate.behaviour),
        first="" if found is None else found.first,
        last="" if found is None else found.last,
        tested_days="" if found is None else words.days_words(found.days),
        times=words.times_words(candidate.times),
        days=words.days_words(candidate.days),
        number=candidate.times,
        did=percent(cell.ppv.estimate, 0) if computable(cell.ppv) else reason_words(cell.ppv),
        other=(
            percent(cell.retained_without.estimate, 0)
            if computable(cell.retained_without)
            else reason_words(cell.retained_without)
        ),
    )


def measured_on(candidate: Candidate) -> str:
    """On whom the numbers of the claim were measured."""
    cell = candidate.honest
    if not computable(cell):
        return gettext("Measured on all users, those who chose the number among them: it looks too good.")
    n = count(cell.a + cell.b + cell.c + cell.o)
    text = (
        gettext("Measured on {n} users of the training part: the jump was found on the hold-out, without them.")
        if candidate.judged_by is JudgedBy.TRAIN
        else gettext("Measured on {n} users of the hold-out, who had no part in choosing the number.")
    )
    return text.format(n=n)


def controls_warning(report: Report) -> str:
    """For the top of the page when inert behaviours come out as strong as candidates, else empty."""
    names = [display_name(row.behaviour) for row in report.candidates if AS_STRONG_AS_INERT in row.flags]
    if not names:
        return ""
    text = gettext(
        "Behaviours that can't cause retention come out as strong as {names}: what is measured here is not the effect "
        "of the behaviour."
    )
    return text.format(names=", ".join(names))


# ── The study ─────────────────────────────────────────────────────────────────


def curve(found: Curve) -> str:
    """The plateau, or why there is none."""
    plateau = found.plateau
    if not computable(plateau):
        return gettext("No plateau yet. {reason}").format(reason=reason_words(plateau))
    text = gettext("From day {day} on the curve is flat: {height} of the users are active on a day.")
    return text.format(day=plateau.day, height=percent(plateau.height))


def feature_name(row: Ranked) -> str:
    """A feature of the model; behaviours and attributes keep their own name."""
    return gettext("active days") if row.kind == "activity" else display_name(row.name)


def ranking(report: Report) -> str:
    """What the model leans on, and that this is no cause."""
    rows = ranked(report)
    if not rows:
        return no_ranking(report)
    # A behaviour that moves together with activity has the rank of activity: it tells nothing of its own.
    activity = {row.group for row in rows if row.kind == "activity"}
    behaviours = [row for row in rows if row.kind == "behaviour" and row.group not in activity]
    if not behaviours:
        return gettext("No behaviour tells more than activity does (predictive, not causal).")
    first = behaviours[0]
    if tied(first, behaviours):
        text = gettext("Beyond activity {name} comes first, but not alone: ranks overlap (predictive, not causal).")
    else:
        text = gettext("Beyond activity {name} tells most about who stays (predictive, not causal).")
    return text.format(name=display_name(first.name))


def no_ranking(report: Report) -> str:
    """Why no ranking is shown."""
    model = report.model
    missing = model if not computable(model) else model.ranking
    return reason_words(missing) if isinstance(missing, NotComputable) else ""


def skill(report: Report) -> str:
    """How good the model is, with the logistic model beside it."""
    model = report.model
    if not computable(model):
        return ""
    text = gettext(
        "Out of fold the trees tell a user who stays from one who leaves in {trees} of pairs (AUC; interval {low} to "
        "{high}), a logistic model in {logistic}; chance is 50 %. {n} users."
    )
    auc = model.trees.auc
    return text.format(
        trees=percent(auc.estimate), low=percent(auc.low), high=percent(auc.high),
        logistic=percent(model.logistic.auc.estimate), n=count(model.trees.units),
    )  # fmt: skip


def swarm(report: Report) -> str:
    """In which direction the first behaviour moves the prediction."""
    rows = {row.name: row for row in ranked(report)}
    model = report.model
    if not computable(model) or not model.swarm:
        return ""
    first = model.swarm[0].behaviour
    row = rows.get(first)
    rising = row is not None and computable(row.direction) and row.direction > 0
    text = (
        gettext("The more {name}, the more the model expects a user to stay (predictive, not causal).")
        if rising
        else gettext("More {name} does not make the model expect a user to stay (predictive, not causal).")
    )
    return text.format(name=display_name(first))


def nulls(report: Report) -> str:
    """Whether the grid holds more than activity."""
    return words.null_sentence(report.active)


def weeks(report: Report) -> str:
    """How far retention moves between signup weeks."""
    shares = [row.share.estimate for row in report.weeks]
    if not shares:
        return gettext("No signup week is complete.")
    text = gettext("From one signup week to another {low} to {high} of the users stay.")
    return text.format(low=percent(min(shares)), high=percent(max(shares)))


def controls(found: Controls) -> str:
    """What the negative controls say about the method."""
    null = found.null
    if not computable(null):
        return reason_words(null)
    text = gettext(
        "{n} behaviours that can't cause retention come out at {mean} points on average, with a spread of {sd}: that "
        "much this method makes out of nothing."
    )
    sentence = text.format(n=null.controls, mean=points(null.mean), sd=decimal(null.sd * 100, 1))
    if null.is_weak:
        sentence += " " + gettext("Fewer than ten controls: the spread may be larger.")
    return sentence


# ── One candidate ─────────────────────────────────────────────────────────────


def stack(report: Report, candidate: Candidate) -> str:
    """B at the chosen Z."""
    row = next((row for row in splits(report, candidate) if row.chosen), None)
    if row is None:
        return claim_words(candidate)
    text = gettext("At {times}, {b} of those who did it or stayed are both.")
    return text.format(times=words.times_words(row.times), b=percent(row.share(row.b), 0))


def heat(report: Report, candidate: Candidate) -> str:
    """How many cells would have done as well."""
    n = sum(cell.as_good for cell in cells_of(report, candidate))
    if candidate.by_step:
        text = gettext("The number comes from the jump at {times}; by J alone {n} cells are as good as the best.")
    elif n > 1:
        text = gettext("{n} cells are as good as the best; the cheapest of them is taken.")
    else:
        text = gettext("One cell is clearly the best by its rule.")
    return text.format(n=n, times=candidate.times)


def pareto(candidate: Candidate) -> str:
    """Precision and recall of the candidate in words."""
    cell = candidate.cell
    if not computable(cell.ppv) or not computable(cell.recall):
        return claim_words(candidate)
    text = gettext("Of those who did it {ppv} stayed; of those who stayed {recall} did it.")
    return text.format(ppv=percent(cell.ppv.estimate, 0), recall=percent(cell.recall.estimate, 0))


def dose(report: Report, candidate: Candidate) -> str:
    """The words about a jump."""
    judged = judged_of(report, candidate.behaviour)
    if judged is None or judged.step is None:
        return words.step_words(candidate.step, candidate.smooth_range)
    return words.step_sentence(judged.step)


def ladder(candidate: Candidate) -> str:
    """What is left of the raw difference."""
    raw, full = candidate.ladder.rungs[0].difference, candidate.ladder.rungs[3].difference
    if not computable(raw):
        return reason_words(raw)
    if not computable(full):
        text = gettext("The raw difference is {raw} points; how much is left can't be said. {reason}")
        return text.format(raw=decimal(100 * raw.estimate, 1), reason=reason_words(full))
    text = gettext("Of {raw} points {full} are left when all that was measured is held equal.")
    return text.format(raw=decimal(100 * raw.estimate, 1), full=decimal(100 * full.estimate, 1))


def ladder_caution() -> str:
    """Stands under every ladder."""
    return gettext("A ladder ranks and never convicts: what was not measured is not held equal.")


def overlap(candidate: Candidate) -> str:
    """How comparable the doers and the others are, from the last rung."""
    adjusted = candidate.ladder.rungs[3].adjusted
    if adjusted is None:
        return ""
    text = gettext(
        "Overlap of the last rung: {clipped} of the scores clipped, {outside} outside 5 to 95 %. The weights leave "
        "{did} of the doers and {other} of the others as effective sample."
    )
    found = adjusted.overlap
    return text.format(
        clipped=percent(found.clipped), outside=percent(found.outside),
        did=percent(found.effective_with), other=percent(found.effective_without),
    )  # fmt: skip


def honesty(candidate: Candidate) -> str:
    """Whether the number holds on users who did not choose it."""
    cell = candidate.honest
    if not computable(cell):
        if candidate.judged_by is not JudgedBy.BOOTSTRAP:
            return reason_words(cell)
        text = gettext("Corrected for having been chosen, J is {j}.")
        return text.format(j=decimal(candidate.honesty.corrected["j"], 3))
    gap = candidate.honesty.optimism.get("difference")
    text = gettext("On users who had no part in the choice doers stay {difference} points more; optimism {optimism}.")
    return text.format(
        difference=difference(cell.difference),
        optimism=gettext("unknown") if gap is None else difference(gap),
    )


def reach_by_week(candidate: Candidate) -> str:
    """Between which shares reach moves."""
    shares = [row.reach.estimate for row in week_rows(candidate.by_week)]
    if not shares:
        return gettext("No signup week is complete.")
    text = gettext("From one signup week to another {low} to {high} of the users reach it.")
    return text.format(low=percent(min(shares)), high=percent(max(shares)))


def segments(candidate: Candidate) -> str:
    """In how many segments doers stay more."""
    more = [row for row in candidate.by_segment if computable(row.cell.difference) and row.cell.difference.low > 0]
    text = gettext("In {k} of {n} segments doers clearly stay more.")
    return text.format(k=len(more), n=len(candidate.by_segment))


def luck(candidate: Candidate) -> str:
    """The candidate's own adjusted p-values of both nulls."""
    if isinstance(candidate.p_active, NotComputable):
        return reason_words(candidate.p_active)
    text = gettext("Adjusted over the whole grid: {luck} against luck, {active} against equally active users.")
    return text.format(luck=p_text(candidate.p_luck), active=p_text(candidate.p_active))


def promise(candidate: Candidate) -> str:
    """What moving more users across would be worth, by both readings."""
    found = candidate.promise
    if not computable(found.naive):
        return reason_words(found.naive)
    text = gettext(
        "If {moved} more of all users reached it, retention would rise by {naive} points were the raw difference an "
        "effect, and by {adjusted} with all that was measured held equal. Neither is a promise before an experiment."
    )
    adjusted = gettext("an unknown number") if not computable(found.adjusted) else points(found.adjusted.estimate)
    return text.format(moved=percent(found.moved, 0), naive=points(found.naive.estimate), adjusted=adjusted)


def calibrated(candidate: Candidate) -> str:
    """The candidate against the negative controls."""
    found = candidate.calibrated
    if not computable(found):
        return reason_words(found)
    text = gettext("Against the negative controls: {low} to {high} points after calibration, {p}.")
    return text.format(low=points(found.low), high=points(found.high), p=p_text(found.p_value))


def benchmark(candidate: Candidate) -> str:
    """The E-value with what a hidden cause as strong as activity could do."""
    text = words.hidden_cause_sentence(candidate)
    if not computable(candidate.e_value) or not computable(candidate.benchmark):
        return text
    found = candidate.benchmark
    more = gettext(
        "For the limit of the interval it would need {limit}. Activity itself: the most active third are {did} times "
        "as frequent among doers, and {retained} times as likely to stay."
    )
    return f"{text} " + more.format(
        limit=decimal(candidate.e_value.limit), did=decimal(found.ratio_did, 1),
        retained=decimal(found.ratio_retained, 1),
    )  # fmt: skip


def hidden_cause(candidate: Candidate) -> tuple[str, ...]:
    """E-value with its benchmark, and the negative controls; one reason is said once."""
    return tuple(dict.fromkeys((benchmark(candidate), calibrated(candidate))))
