"""The report of a stored experiment, part by part: heading, finding, picture, table. Pure.

A part without its data has no picture either; `experiments.report.pictures` draws exactly the parts that have one.
"""

from collections.abc import Iterator

from experiments.analyse.codes import NOT_THE_BEHAVIOUR
from experiments.analyse.effects import Comparison, Report, leading
from experiments.analyse.result import Readout, Shrunk
from experiments.plan.design import Kind
from experiments.report import effect_tables, over_time, senders
from experiments.report import tables as report_tables
from experiments.report.behaviour import acts, direct_effect
from experiments.report.comparison_words import versus
from experiments.report.first_lines import rule_words, take_up_sentences, worded
from experiments.report.promise_and_finding import contrasts, promise_finding
from experiments.report.stopping import hidden_sentence, stopping_sentence
from reporting.numbers import count, effect_limits, effect_text, p_value, percent
from reporting.table import Part, Section
from reporting.words import gettext, reason_words
from stats.results import computable
from stats.survival.day_curve import CurveDifference

ALARM = 0.05


def sections(readout: Readout) -> tuple[Section, ...]:
    """All sections in the order of the page; those about the outcome are missing while it is locked."""
    found = [_plan(readout), _flow(readout)]
    if readout.report is not None:
        found += _opened(readout, worded(readout.report))
    elif readout.first_stage:
        found.append(Section("acts", gettext("Does the nudge move the behaviour?"), "", (_first_stage(readout),)))
    return tuple(found)


def _opened(readout: Readout, report: Report) -> list[Section]:
    found = [
        _direct(report), _over_time(readout), _segments(readout, report)
    ]  # fmt: skip
    if readout.through:
        found.append(_validity(readout, report))
    if readout.by_times:
        found.append(_acts(readout, report))
    if readout.path:
        found.append(_path(readout, report))
    found.append(_outcomes(readout, report))
    if readout.beliefs:
        found.append(_beliefs(readout, report))
    return [section for section in found if section.parts or section.lead]


def promise(readout: Readout) -> Part | None:
    """What the correlation promised, what the experiment found; None while the outcome is locked."""
    rows = contrasts(readout)
    if not rows:
        return None
    note, claim = "", readout.plan.claim
    if claim is not None and claim.promised is not None and claim.retention != readout.plan.primary[0]:
        note = gettext("The study promised another outcome than this experiment reads first: compare with care.")
    said = (*take_up_sentences(readout), stopping_sentence(readout), note)
    note = " ".join(one for one in said if one)
    return Part(
        "promise", gettext("What the correlation promised, what the experiment found"),
        promise_finding(readout), report_tables.promise(rows),
        picture=any(row.estimate is not None for row in rows), note=note,
    )  # fmt: skip


def _plan(readout: Readout) -> Section:
    plan = readout.plan
    if not plan.intact:
        lead = gettext("The plan was not kept: it differs from the one at the start, and no amendment says why.")
    elif plan.amendments:
        lead = gettext("The plan was amended {n} times after the start; each change stands below with its reason.")
        lead = lead.format(n=len(plan.amendments))
    else:
        lead = gettext("The plan was kept: nothing changed after the start.")
    parts = [Part("registered", gettext("What was registered"), "", report_tables.plan(readout), picture=False)]
    changed = report_tables.amendments(readout)
    if changed is not None:
        parts.append(Part("amendments", changed.title, "", changed, picture=False))
    return Section("plan", gettext("The plan, and whether it was kept"), lead, tuple(parts), closed=True)


def _flow(readout: Readout) -> Section:
    total, mature = sum(readout.standing.exposed.values()), sum(readout.standing.mature.values())
    lead = gettext("{n} units in {groups} groups; the outcome of {mature} is known.").format(
        n=count(total), groups=len(readout.standing.exposed), mature=count(mature)
    )
    parts = [Part("units", gettext("From exposure to outcome"), lead, report_tables.flow(readout), picture=False)]
    parts += senders.parts(readout)
    days = report_tables.by_day(readout)
    if days is not None:
        last = readout.flow.by_day[-1][0].isoformat()
        finding = gettext("{n} units had met their variant by {day}.").format(n=count(total), day=last)
        parts.append(Part("inflow", gettext("How units came in"), finding, days))
    return Section("units", gettext("The flow of units"), "", tuple(parts))


def _first_stage(readout: Readout) -> Part:
    return Part(
        "first-stage", gettext("Take-up: the first stage"),
        gettext("How many more units reach the behaviour with the nudge; counted before the outcome is read."),
        report_tables.first_stage(readout), picture=False,
    )  # fmt: skip


def _direct(report: Report) -> Section:
    """Always open: it is the condition of whatever is said about the behaviour."""
    outcome = report.outcomes[0]
    parts = tuple(
        Part(
            direct_effect.slug(place), gettext("Nudged by {variant}").format(variant=row.variant),
            direct_effect.finding(outcome, found), direct_effect.table(outcome, row.variant, found),
            picture=direct_effect.drawable(found), note=direct_effect.note(outcome, found),
        )
        for place, row, found in direct_effect.shown(report)
    )  # fmt: skip
    title = gettext("What if being nudged does something by itself?")
    return Section("direct", title, direct_effect.lead() if parts else "", parts)


# ── Over time ─────────────────────────────────────────────────────────────────
def survival_named(readout: Readout) -> bool:
    """Every arm has a curve of its time to churn."""
    return bool(readout.arms_over_time) and all(computable(arm.survival) for arm in readout.arms_over_time)


def curve_differences(readout: Readout) -> dict[str, CurveDifference]:
    """D-n differences by variant, where there are any."""
    return {row.variant: row.days for row in readout.over_time if computable(row.days)}


def _over_time(readout: Readout) -> Section:
    return Section("time", gettext("Retention over time"), "", tuple(_time_parts(readout)))


def _time_parts(readout: Readout) -> Iterator[Part]:
    if not readout.over_time:
        return
    days = {arm.variant: [row for row in arm.days if row.day > 0] for arm in readout.arms_over_time}
    finding = over_time.curve_finding(days)
    if finding:
        yield Part("daily-curve", gettext("Who is active on which day?"), finding, report_tables.daily(readout))
    found = curve_differences(readout)
    if found:
        text = over_time.difference_finding(found).replace("\n", " ")
        note = gettext("The grey band holds for all days together; a single day outside its own bar proves nothing.")
        table = report_tables.daily_difference(found)
        yield Part("daily-difference", gettext("On which days do the groups differ?"), text, table, note=note)
    stay = over_time.stay_finding({row.variant: row.restricted for row in readout.over_time}, readout.over_time[0].tau)
    yield Part(
        "survival", gettext("How long do units stay?"), stay.replace("\n", " "),
        report_tables.over_time(readout.over_time), picture=survival_named(readout),
    )  # fmt: skip
    share = readout.report is not None and readout.report.outcomes[0].kind is Kind.PROPORTION
    novelty = {row.variant: row.novelty for row in readout.over_time}
    weeks = any(computable(week.effect) for row in novelty.values() for week in row.weeks)
    text = over_time.novelty_finding(novelty, share=share).replace("\n", " ")
    yield Part(
        "novelty", gettext("Does the effect fade with later enrolment?"), text,
        report_tables.novelty(novelty, share), picture=weeks,
    )  # fmt: skip


# ── Segments ──────────────────────────────────────────────────────────────────
def shrunk_of(readout: Readout, variant: str) -> Shrunk | None:
    """The shrunk effects of one variant."""
    return next((row for row in readout.shrunk if row.variant == variant), None)


def segment_slug(place: int) -> str:
    """The picture of one variant's segments; variants are counted from 1."""
    return f"segments-{place + 1}"


def compared(report: Report) -> tuple[Comparison, ...]:
    """Comparisons of the first outcome."""
    return report.outcomes[0].comparisons


def _segments(readout: Readout, report: Report) -> Section:
    outcome = report.outcomes[0]
    parts = []
    for place, row in enumerate(compared(report)):
        if not row.by_segment:
            continue
        table = report_tables.segments(outcome, row, shrunk_of(readout, row.variant), report.design.level)
        note = gettext(
            "Single segments mislead: the largest is partly luck. Shrinkage pulls each towards the mean by how "
            "uncertain it is; read segments apart only where the test says that they differ."
        )
        text = pooled_finding(row, outcome.kind is Kind.PROPORTION)
        heading = f"{outcome.name} · {versus(row.variant, row.compared_with)}"
        parts.append(Part(segment_slug(place), heading, text, table, note=note))
    title = gettext("By segment")
    if not parts:
        return Section(
            "segments", title, gettext("All units belong to one segment, so there is nothing to compare."), ()
        )
    return Section("segments", title, interaction(leading(report)), tuple(parts))


def pooled_finding(row: Comparison, share: bool) -> str:
    """The effect over all segments together."""
    found = None if row.stratified is None else row.stratified.risk_difference
    if found is None or not computable(found):
        return gettext("{variant}: the effect of each segment, its own and shrunk.").format(variant=row.variant)
    text = gettext("{variant}: pooled over segments the effect is {effect} ({limits}).")
    return text.format(
        variant=versus(row.variant, row.compared_with),
        effect=effect_text(found.estimate, share=share),
        limits=effect_limits(found.low, found.high, share),
    )  # fmt: skip


def interaction(row: Comparison) -> str:
    """The interaction test, which is read before any segment."""
    test = row.stratified.heterogeneity if row.stratified is not None else None
    if test is None:
        return gettext("Whether segments differ couldn't be tested.")
    if not computable(test):
        return reason_words(test)
    differ = gettext("{variant}: the segments differ in the effect (interaction test p {p}, degrees of freedom: {n}).")
    same = gettext(
        "{variant}: no difference between segments was shown (interaction test p {p}, degrees of freedom: {n}); read "
        "the pooled effect."
    )
    text = differ if test.p_value < ALARM else same
    return text.format(variant=row.variant, p=p_value(test.p_value), n=test.degrees_of_freedom)


# ── The behaviour ─────────────────────────────────────────────────────────────
def _validity(readout: Readout, report: Report) -> Section:
    share = report.outcomes[0].kind is Kind.PROPORTION
    parts = [_first_stage(readout)]
    for found in readout.through:
        named = (
            ("kinds", "", acts.kinds(found)),
            ("levels", "", acts.levels(found, share)),
            ("checks", "", acts.checks(found, share)),
            ("traits", "", acts.traits(found)),
        )
        parts += [
            Part(f"{slug}-{found.variant}", table.title, text, table, picture=False)
            for slug, text, table in named
            if table is not None
        ]
    title = gettext("Only through the behaviour, and for whom?")
    causal = report.verdict.code not in NOT_THE_BEHAVIOUR
    lead = " ".join(acts.kinds_finding(found, of_behaviour=causal) for found in readout.through)
    return Section("validity", title, lead, tuple(parts), closed=True)


def weights_slug(place: int) -> str:
    """The picture of one variant's acts."""
    return f"acts-{place + 1}"


def _acts(readout: Readout, report: Report) -> Section:
    share = report.outcomes[0].kind is Kind.PROPORTION
    parts = []
    for place, row in enumerate(readout.by_times):
        text = acts.acts_finding(row)
        table = acts.weights(row.weights) if computable(row.weights) else None
        heading = gettext("Which acts did {variant} add?").format(variant=row.variant)
        note = (
            gettext("Orange: the moment's own number. Lines: the interval of each bar at 95 %.")
            if table is not None
            else ""
        )
        parts.append(Part(weights_slug(place), heading, text, table, picture=table is not None, note=note))
        effect = acts.response(row, share)
        parts.append(Part(f"response-{place + 1}", effect.title, "", effect, picture=False))
    lead = ""
    if readout.dose is not None:
        lead, table = acts.dose_finding(readout.dose), acts.dose(readout.dose)
        parts.append(Part("dose-arms", table.title, lead, table, picture=False))
    return Section("acts", gettext("Does the threshold matter, or each act?"), lead, tuple(parts))


# ── Looks, outcomes, beliefs ──────────────────────────────────────────────────
def _path(readout: Readout, report: Report) -> Section:
    share = report.outcomes[0].kind is Kind.PROPORTION
    table = report_tables.looks(readout.path, share, placebo=readout.plan.placebo)
    looked = len({look.on for look in readout.path})
    note = (
        gettext("Dashed: the bound that |z| must reach at each look; a dot above it is a finding.")
        if looked > 1
        else ""
    )
    finding = path_finding(readout)
    part = Part("path", gettext("Every look at the outcome"), finding, table, picture=looked > 1, note=note)
    return Section("path", gettext("The looks, and what they cost"), hidden_sentence(readout), (part,))


def path_finding(readout: Readout) -> str:
    """How many looks there were, and whether each was paid for."""
    days = {(look.on, look.peeked) for look in readout.path}
    n, peeks = len(days), sum(peeked for _on, peeked in days)
    if peeks:
        text = gettext("Looks: {n}. Peeks among them, for which the plan didn't pay: {peeks}.")
        return text.format(n=n, peeks=peeks)
    if readout.plan.method == "fixed":
        return gettext("One look at the end, as planned: it is paid for by the whole error rate.")
    one = gettext("One look, as planned; all looks of the plan together keep the error rate of {alpha}.")
    text = one if n == 1 else gettext("{n} looks, all as planned: together they keep the error rate of {alpha}.")
    found = text.format(n=n, alpha=percent(readout.plan.alpha, 0))
    return f"{found} {rule_words(readout.standing.rule)}".strip()


def _outcomes(readout: Readout, report: Report) -> Section:
    shares = any(outcome.kind is Kind.PROPORTION for outcome in report.outcomes)
    several = len(report.outcomes) > 1
    effects = effect_tables.comparisons(report)
    parts = [
        Part("outcomes", outcomes_title(report), outcomes_finding(readout, report), effects,
             picture=shares and several),
        Part("levels", gettext("Levels in each group"), "", effect_tables.levels(report), picture=False),
    ]  # fmt: skip
    adjusted = effect_tables.adjusted(report)
    if adjusted is not None:
        parts.append(Part("adjusted", adjusted.title, "", adjusted, picture=False))
    return Section("outcomes", gettext("All outcomes and guardrails"), "", tuple(parts))


def outcomes_title(report: Report) -> str:
    """What every outcome is compared with."""
    if any(row.compared_with for row in compared(report)):
        return gettext("Every outcome against the placebo")
    return gettext("Every outcome against control")


def outcomes_finding(readout: Readout, report: Report) -> str:
    """How many outcomes there are and which decide."""
    plan = readout.plan
    text = gettext("Outcomes that decide: {primary}. Also read: {secondary}. Guardrails: {guardrails}.")
    return text.format(primary=len(plan.primary), secondary=len(plan.secondary), guardrails=len(plan.guardrails))


def _beliefs(readout: Readout, report: Report) -> Section:
    shares = {row.name: row.kind is Kind.PROPORTION for row in (readout.report or report).outcomes}
    table = report_tables.beliefs(readout.beliefs, shares)
    part = Part("beliefs", gettext("What a Bayesian would say"), "", table, picture=False)
    return Section("bayes", gettext("Bayesian companion"), report_tables.beliefs_caution(), (part,), closed=True)


def pictures(readout: Readout) -> dict[str, str]:
    """Slug and finding of every picture that this report has."""
    first = promise(readout)
    parts = [] if first is None else [first]
    parts += [part for section in sections(readout) for part in section.parts]
    return {part.slug: part.finding for part in parts if part.picture}
