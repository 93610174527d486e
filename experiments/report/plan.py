"""The plan, and whether it was followed: registered values, and each amendment with its reason. Pure."""

from aha.made_names import hypothesis
from events.metrics import display_name
from experiments.analyse.result import Readout
from experiments.plan.design import Kind, kind_of
from experiments.plan.earlier.predictor import LIN, PREDICTED, UNADJUSTED, Predictor
from experiments.plan.planned import Planned
from experiments.report.names import clock_words, metric_sentence, rule_words, table_words
from reporting.numbers import between, count, decimal, effect_text, percent
from reporting.table import Part, Row, Section, Table
from reporting.words import days_words, gettext, times_words


def section(readout: Readout) -> Section:
    """Folded section: registered values and changes."""
    plan = readout.plan
    if not plan.intact:
        lead = gettext("The plan was not kept: it differs from the one at the start, and no amendment says why.")
    elif plan.amendments:
        lead = gettext("The plan was amended {times} after the start; each change stands below with its reason.")
        lead = lead.format(times=times_words(len(plan.amendments)))
    else:
        lead = gettext("The plan was kept: nothing changed after the start.")
    parts = [Part("registered", gettext("What was registered"), "", registered(readout))]
    changed = amendments(readout)
    if changed is not None:
        parts.append(Part("amendments", changed.title, "", changed))
    return Section("plan", gettext("Plan adherence"), lead, tuple(parts), closed=True)


def registered(readout: Readout) -> Table:
    """Table of the registered values."""
    found = readout.plan
    methods = {
        "fixed": gettext("one look, on the day of the result"),
        "group_sequential": gettext("planned looks"),
        "always_valid": gettext("any look, any time"),
    }
    decides = {
        UNADJUSTED: "",
        LIN: gettext("adjusted for the covariates (Lin)"),
        PREDICTED: gettext("adjusted for the outcome that the covariates predict (Lin)"),
    }
    rows: list[Row] = [
        (gettext("Hypothesis"), _hypothesis(found)),
        (gettext("Nudge"), found.nudge),
        (gettext("Variants, control first"), ", ".join(_variant(readout, name) for name in found.variants)),
        *((gettext("Planned split"), _split(segment, shares)) for segment, shares in found.shares.items()),
        (gettext("Drawn as a whole"), found.cluster),
        (gettext("Saturations: share nudged, of so many clusters"), _saturations(readout)),
        (gettext("Verdict rests on"), _metrics(found.primary)),
        (gettext("Also read"), _metrics(found.secondary)),
        *((gettext("Must not get worse"), _guardrail(readout, name)) for name in found.guardrails),
        (gettext("Decision"), table_words(found.otherwise)),
        (gettext("Covariates known before"), ", ".join(found.covariates)),
        (gettext("Active days before the exposure"), _days_before(found.active_days_before)),
        (gettext("Comparison that decides"), decides[found.adjustment]),
        (gettext("Predicted from earlier users"), _prediction(found.prediction)),
        (gettext("Error rate, two-sided"), percent(found.alpha)),
        (gettext("Smallest effect of interest"), _effect(readout, found.smallest_effect)),
        (gettext("Planned effect"), _effect(readout, found.planned_effect)),
        (gettext("Expected take-up"), "" if found.take_up is None else percent(found.take_up)),
        (gettext("Planned units"), count(found.planned_units)),
        (gettext("When it is read"), methods[found.method]),
        (gettext("Day 0"), clock_words(found)),
        (gettext("Started"), found.started.isoformat()),
        (gettext("Enrolment ended"), "" if found.enrolment_ended is None else found.enrolment_ended.isoformat()),
    ]
    kept = tuple(row for row in rows if row[1])
    return Table(gettext("The plan"), (gettext("part"), gettext("registered")), kept)


def _hypothesis(plan: Planned) -> str:
    return plan.hypothesis if plan.claim is None else hypothesis(plan.hypothesis, plan.claim)


def _days_before(days: int) -> str:
    return gettext("within {days}").format(days=days_words(days)) if days else ""


def _prediction(found: Predictor | None) -> str:
    """Training data and R2 of the prediction model, from before the start."""
    if found is None:
        return ""
    worth = found.explained
    return gettext(
        "{n} users from {first} to {last}; R² {r} ({interval}), judged by the newest {judged} of them"
    ).format(
        n=count(found.units),
        first=found.first.isoformat(),
        last=found.last.isoformat(),
        r=decimal(worth.r_squared, 3),
        interval=between(decimal(worth.low, 3), decimal(worth.high, 3)),
        judged=count(worth.judged),
    )


def _variant(readout: Readout, name: str) -> str:
    if name == readout.plan.placebo:
        return gettext("{variant} (placebo)").format(variant=name)
    dose = readout.plan.doses.get(name)
    return name if dose is None else gettext("{variant} (dose {n})").format(variant=name, n=dose)


def _split(segment: str, shares: tuple[float, ...]) -> str:
    text = " / ".join(percent(share, 0) for share in shares)
    return f"{segment}: {text}" if segment else text


def _saturations(readout: Readout) -> str:
    return ", ".join(f"{percent(one.share, 0)}: {percent(one.weight, 0)}" for one in readout.plan.saturations)


def _metrics(names: tuple[str, ...]) -> str:
    return " ".join(metric_sentence(name) for name in names)


def _guardrail(readout: Readout, name: str) -> str:
    return f"{metric_sentence(name)} {rule_words(name, readout.plan.guardrail_rules.get(name))}"


def _effect(readout: Readout, effect: float | None) -> str:
    share = kind_of(readout.plan.primary[0]) is Kind.PROPORTION
    return "" if effect is None else effect_text(effect, share=share)


def amendments(readout: Readout) -> Table | None:
    """Logged changes of the plan after the start."""
    rows = tuple(
        (made.on.isoformat(), name, display_name(before), display_name(after), made.why, made.by)
        for made in readout.plan.amendments
        for name, (before, after) in made.changes.items()
    )
    columns = (gettext("day"), gettext("part"), gettext("before"), gettext("after"), gettext("reason"), gettext("by"))
    return Table(gettext("Amendments after the start"), columns, rows) if rows else None
