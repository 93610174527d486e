"""The plan of an experiment as one page, in the order in which a reader asks; and as Markdown, HTML and text."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from aha.report.claim import cell_words
from experiments.models import Experiment, PlanComment, Variant
from experiments.plan.catalogue_metrics import chosen_sentences
from experiments.plan.fields import Method
from experiments.plan.lab import behaviours_of
from experiments.plan.planned_power import calendar_of
from experiments.plan.record import GuardrailRule
from experiments.plan.registration import preregistration
from experiments.plan.stored import plan_of
from experiments.plan.warnings import cautions
from experiments.plan_page.known_numbers import Known, known_of
from experiments.plan_page.other_words import aim_words, none_words, others_of
from experiments.plan_page.plan_summary import audience_lines, metric_words, nudge_lines, result_words, value_words
from experiments.report.names import is_share, metric_sentence, rule_words, table_words
from experiments.report.planning import caution_words, duration
from reporting.numbers import count, decimal, percent, planned_text, significant
from reporting.table import Table
from reporting.words import days_words, reason_words
from runs.site_zone import site_date
from stats.results import NotComputable, computable

# The plan of an experiment as one page: its sections in reading order. Text only, no markup.


@dataclass(frozen=True)
class PlanSection:
    """One section of the plan.

    Attributes:
        slug: its name in addresses and comments; `title` is shown.
        step: where to change it.
        texts: paragraphs; `lines` label and value; `items` a list; `table` rows with a head.
    """

    slug: str
    title: str
    step: str
    texts: tuple[str, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    items: tuple[str, ...] = ()
    table: Table | None = field(default=None)

    @property
    def is_empty(self) -> bool:
        """True when the section has no content."""
        return not (self.texts or self.lines or self.items or self.table)


def sections(row: Experiment, known: Known) -> list[PlanSection]:
    """All sections; empty ones are marked as such on the page.

    Args:
        row: the experiment, draft or started.
        known: warehouse data for it.
    """
    makers: tuple[Callable[[Experiment, Known], PlanSection], ...]
    makers = (
        _question,
        _hypothesis,
        _others,
        _who,
        _arms,
        _outcomes,
        _guardrails,
        _verdict,
        _size,
        _looks,
        _risks,
        _start,
    )
    return [make(row, known) for make in makers]


def at_start(row: Experiment) -> list[str]:
    """What happens when it starts, in sentences."""
    asked = _("Services that ask for the flag {flag} get a group's value from now on; users are enrolled as they ask.")
    flags = row.flag_key
    if row.is_lab:
        asked = _(
            "Services that ask for one of the flags {flag} get true or false from now on; users are enrolled then."
        )
        flags = ", ".join(row.flags[1:])
    sentences = [
        asked.format(flag=flags),
        _(
            "Frozen from the start on: key, flag, AHA moment, other behaviours, groups with their values and weights, "
            "audience, layer and holdout."
        ),
        _("The rest of the plan can be amended with a reason, and the report shows each amendment."),
    ]
    if row.moment is not None:
        sentences.append(_("The AHA moment {moment} is marked as being tested.").format(moment=row.moment))
    return sentences


def _question(row: Experiment, _known: Known) -> PlanSection:
    outcome = metric_sentence(row.primary_metrics[0]) if row.primary_metrics else _("no outcome is chosen yet")
    if row.is_lab:
        behaviours = ", ".join(aim_words(*pair) for pair in behaviours_of(plan_of(row)))
        text = _("Which of these behaviours cause this outcome: {behaviours}? {outcome}")
        texts = [text.format(behaviours=behaviours, outcome=outcome)]
    elif row.moment is None:
        texts = [_("Does the nudge change this outcome? {outcome}").format(outcome=outcome)]
    else:
        claim = cell_words(row.moment.behaviour, row.moment.times, row.moment.days)
        texts = [_("Does the behaviour “{claim}” cause this outcome? {outcome}").format(claim=claim, outcome=outcome)]
    return PlanSection("question", _("Question"), "hypothesis", tuple(texts))


def _hypothesis(row: Experiment, _known: Known) -> PlanSection:
    text = row.hypothesis_shown.strip()
    return PlanSection("hypothesis", _("Hypothesis"), "hypothesis", (text,) if text else ())


def _others(row: Experiment, _known: Known) -> PlanSection:
    if row.moment is None:
        return PlanSection(
            "others", _("Other behaviours"), "hypothesis", (_("No AHA moment is tested, so none counts."),)
        )
    lines = others_of(row)
    if row.is_lab and not lines:
        text = _("None beside those that the nudges lead to, which are read together.")
        return PlanSection("others", _("Other behaviours"), "hypothesis", (text,))
    text = _(
        "The nudge may also move these. What the moved ones can explain together at most is taken off before the "
        "behaviour is called a cause."
    )
    texts = (text if lines else none_words(row),)
    return PlanSection("others", _("Other behaviours"), "hypothesis", texts, tuple(lines))


def _who(row: Experiment, known: Known) -> PlanSection:
    lines = audience_lines(row)
    facts = known.facts
    if facts.per_day is not None and facts.share is not None:
        text = _("about {eligible} eligible users a day, {enrolled} of them enrolled ({share})")
        numbers = text.format(
            eligible=decimal(facts.per_day, 0),
            enrolled=decimal(facts.per_day * facts.share, 0),
            share=percent(facts.share),
        )
        lines.append((_("In numbers"), numbers))
    return PlanSection("who", _("Who takes part"), "audience", lines=tuple(line for line in lines if line[1]))


def _nudges(row: Experiment) -> PlanSection:
    texts = (
        _("Each nudge is drawn by itself for every user, whatever other nudges the user gets."),
        _(
            "Whether two nudges strengthen or weaken each other is read with little power: these users show only large "
            "interactions."
        ),
    )
    lines = [line for line in nudge_lines(row) if line[1]]
    return PlanSection("arms", _("Nudges, and what is built"), "variants", texts, tuple(lines))


def _arms(row: Experiment, _known: Known) -> PlanSection:
    if row.is_lab:
        return _nudges(row)
    arms = list(row.variants.all())
    table = Table(
        _("Groups"),
        (_("variant"), _("what users get"), _("value of the flag"), _("share")),
        tuple(
            (arm.name or arm.key, _role(row, arm), value_words(arm.value), percent(arm.weight / 10_000)) for arm in arms
        ),
    )
    lines = [
        (_("To be built"), row.nudge.strip() or _("The nudge is not described yet.")),
        (_("Flag key"), row.flag_key),
        (_("Value for everybody else"), value_words(row.default_value)),
    ]
    return PlanSection("arms", _("Groups, and what is built"), "variants", lines=tuple(lines), table=table)


def _role(row: Experiment, arm: Variant) -> str:
    if arm.is_control:
        return _("nothing new")
    if arm.role == Variant.Role.DOSE and arm.dose is not None:
        return _("a nudge to {n} times").format(n=arm.dose)
    return arm.get_role_display() if row.moment is not None else _("the nudge")


def _outcomes(row: Experiment, _known: Known) -> PlanSection:
    lines = [(_("Primary outcome"), metric_words(text)) for text in row.primary_metrics]
    lines += [(_("Secondary outcome"), metric_words(text)) for text in row.secondary_metrics]
    lines += [(_("From the catalogue"), text) for text in chosen_sentences(row)]
    if row.covariates:
        lines.append((_("Covariates known before"), ", ".join(row.covariates)))
    if row.active_days_before:
        window = _("within {days}").format(days=days_words(row.active_days_before))
        lines.append((_("Active days before the exposure"), window))
    texts = (_("The primary outcome gives the verdict; secondary ones explain it."),) if lines else ()
    return PlanSection("outcomes", _("Outcomes"), "outcomes", texts, tuple(lines))


def _guardrails(row: Experiment, _known: Known) -> PlanSection:
    def rule(text: str) -> str:
        fields = row.guardrail_rules.get(text)
        return rule_words(text, None if fields is None else GuardrailRule(**fields))

    lines = tuple((metric_words(text), rule(text)) for text in row.guardrail_metrics)
    texts = () if lines else (_("No guardrail is watched."),)
    return PlanSection("guardrails", _("Guardrails, and their margins"), "outcomes", texts, lines)


def _verdict(row: Experiment, _known: Known) -> PlanSection:
    share = not row.primary_metrics or is_share(row.primary_metrics[0])
    effect = None if row.smallest_effect is None else planned_text(row.smallest_effect, share=share)
    alarms = _("The chance of a false alarm is {alpha} over all primary outcomes, groups and analyses (two-sided).")
    if row.is_lab:
        alarms += " " + _("The behaviours, which are read together, share it by Holm's method.")
    placebo = any(arm.role == Variant.Role.PLACEBO and not arm.is_control for arm in row.variants.all())
    texts = [
        _("The nudge is compared with the placebo, so the attention a prompt gets can't explain the result.")
        if placebo
        else _("Each nudge is compared with all users without it.")
        if row.is_lab
        else _("The nudge is compared with the control."),
        alarms.format(alpha=percent(row.alpha)),
        _("The comparison that decides is {comparison}.").format(comparison=row.get_primary_display()),
        table_words(row.otherwise),
    ]
    if effect is not None:
        text = _("An effect below {effect} is too small to matter. Where it can be excluded, the verdict says so.")
        texts.insert(2, text.format(effect=effect))
    if row.moment is not None:
        texts.insert(
            1,
            _(
                "We compare everyone by group. The behaviour's effect comes from users who changed because of the "
                "nudge."
            ),
        )
    return PlanSection("verdict", _("How the verdict is decided"), "plan", tuple(texts))


def _size(row: Experiment, known: Known) -> PlanSection:
    share = not row.primary_metrics or is_share(row.primary_metrics[0])
    effect = row.planned_effect if row.planned_effect is not None else row.smallest_effect
    lines = [
        (_("Planned effect"), "" if effect is None else planned_text(effect, share=share)),
        (_("Expected take-up"), "" if row.expected_take_up is None else percent(row.expected_take_up)),
        (_("Power"), _("{power} to find an effect of this size").format(power=percent(row.power, 0))),
        (_("Planned users"), "" if row.planned_units is None else count(row.planned_units)),
        (_("Planned end"), "" if row.planned_end is None else date_format(row.planned_end)),
        (_("Result on"), result_words(row)),
    ]
    if known.inflow is not None:
        base = known.inflow.base
        text = reason_words(base) if isinstance(base, NotComputable) else percent(base) if share else significant(base)
        lines.append((_("Outcome without the nudge"), text))
        lines += _calendar(row, known)
    if known.facts.reach is not None:
        lines.append((_("Do it without the nudge"), percent(known.facts.reach)))
    return PlanSection("size", _("Size and calendar"), "plan", lines=tuple(line for line in lines if line[1]))


def _calendar(row: Experiment, known: Known) -> list[tuple[str, str]]:
    if row.planned_units is None or known.inflow is None or known.facts.share is None:
        return []
    calendar = calendar_of(row.planned_units, known.inflow, known.facts.share, site_date())
    if not computable(calendar):
        return [(_("Length"), reason_words(calendar))]
    text = _("{length}: enrolment takes {enrolment} days, the last outcome is known after {days}")
    sentence = text.format(
        length=duration(calendar.days), enrolment=count(calendar.enrolment_days), days=count(calendar.days)
    )
    lines = [(_("Length"), sentence)]
    if computable(calendar.enrolment_ends) and computable(calendar.known) and row.started_at is None:
        dates = _("enrolment ends on {ends}, the last outcome is known on {known}")
        sentence = dates.format(ends=date_format(calendar.enrolment_ends), known=date_format(calendar.known))
        lines.append((_("If it started today"), sentence))
    return lines


def _looks(row: Experiment, _known: Known) -> PlanSection:
    texts = {
        Method.FIXED: _(
            "The outcome is read once, on the day of the result. Health, exposures and guardrails are watched all the "
            "time."
        ),
        Method.GROUP_SEQUENTIAL: _(
            "The outcome is read at planned analyses, which share the error rate: {spending}. It may end at any of "
            "them."
        ).format(spending=row.get_spending_display()),
        Method.ALWAYS_VALID: _("The outcome may be read every day; its interval is valid at any time."),
    }
    lines = []
    if row.method == Method.GROUP_SEQUENTIAL:
        shares = row.looks or [at / 5 for at in range(1, 6)]
        lines = [(_("Analyses at"), ", ".join(percent(share, 0) for share in shares))]
    return PlanSection("looks", _("Analyses"), "plan", (texts[Method(row.method)],), tuple(lines))


def _risks(row: Experiment, known: Known) -> PlanSection:
    plan = plan_of(row)
    items = [caution_words(caution) for caution in cautions(plan, known.facts)] if row.started_at is None else []
    if plan.claim is not None and plan.placebo is None:
        items.append(
            _(
                "Without a placebo, an effect may come from being nudged itself. The verdict then says how large that "
                "effect would have to be."
            )
        )
    if not row.guardrail_metrics:
        items.append(_("Without guardrails nobody sees what else gets worse."))
    if row.method == Method.ALWAYS_VALID:
        items.append(_("Reading every day costs users: the same effect needs more of them than with one analysis."))
    if plan.claim is not None and plan.expected_take_up is None:
        items.append(
            _("Nobody has said how many users do it because of the nudge. If they are few, the effect can't be seen.")
        )
    return PlanSection("risks", _("Risks"), "plan", items=tuple(items))


def _start(row: Experiment, _known: Known) -> PlanSection:
    return PlanSection("start", _("What happens at the start"), "review", items=tuple(at_start(row)))


def document_title(row: Experiment) -> str:
    """Name of the document."""
    return _("Plan: {name}").format(name=row.title)


def facts_line(row: Experiment) -> str:
    """Key, state and version, below the title."""
    text = _("Key {key} · {status} · version {version} of the plan")
    return text.format(key=row.key, status=row.get_status_display(), version=row.version)


# The plan as a file: Markdown, printable HTML, or the registered text with its hash.

FORMS = {"md": "text/markdown", "html": "text/html", "osf": "text/plain"}


def export(row: Experiment, parts: list[PlanSection], form: str) -> str:
    """The file's text.

    Args:
        row: the experiment.
        parts: its sections.
        form: one of `FORMS`.
    """
    if form == "html":
        context = {"row": row, "title": document_title(row), "facts": facts_line(row), "parts": parts}
        return render_to_string("experiments/plan_document/file.html", {**context, "language": get_language()})
    if form == "osf":
        text, sha256 = preregistration(row)
        return f"{text}SHA-256 of everything above this line: {sha256}\n"
    return "\n".join([f"# {_plain(document_title(row))}", "", facts_line(row), "", *_markdown(parts)])


def _markdown(parts: Iterable[PlanSection]) -> Iterable[str]:
    for part in parts:
        yield f"## {part.title}"
        yield ""
        for text in part.texts:
            yield from (_plain(text), "")
        if part.table is not None:
            yield from _table(part)
        for label, value in part.lines:
            yield f"- **{_plain(label)}**: {_plain(value)}"
        for item in part.items:
            yield f"- {_plain(item)}"
        if part.is_empty:
            yield _("Nothing is chosen yet.")
        yield ""


def _table(part: PlanSection) -> Iterable[str]:
    table = part.table
    if table is None:
        return
    yield "| " + " | ".join(_cell(name) for name in table.columns) + " |"
    yield "|" + " --- |" * len(table.columns)
    for row in table.rows:
        yield "| " + " | ".join(_cell(value) for value in row) + " |"
    yield ""


def _plain(text: str) -> str:
    """One line of Markdown with entered text escaped, so that it adds no markup."""
    flat = " ".join(text.split())
    for mark in "\\`*_[]<>#|":
        flat = flat.replace(mark, f"\\{mark}")
    return flat


def _cell(text: str) -> str:
    return _plain(str(text))


# Context for all pages that show the plan: sections with their comments, and export links.


def remarks(row: Experiment) -> list[tuple[PlanComment, str]]:
    """All comments on a plan, the newest first, each with its section's title: for the history of the experiment."""
    titles = {section.slug: section.title for section in sections(row, known_of(row, ask=False))}
    comments = PlanComment.objects.filter(experiment=row).select_related("by", "resolved_by").order_by("-at", "-id")
    return [(comment, titles.get(comment.section, comment.section)) for comment in comments]


def document_context(request: HttpRequest, row: Experiment) -> dict[str, Any]:
    """Context of `experiments/plan_document/document.html`.

    The number of users is shown if cached. Otherwise a draft's page requests it separately (`experiments:plan_numbers`)
    and reloads.

    Args:
        request: of the reader.
        row: the experiment with its moment, layer and holdout.
    """
    is_draft = row.status == Experiment.Status.DRAFT
    known = known_of(row, ask=is_draft and request.method == "POST")
    by_section: dict[str, list[PlanComment]] = {}
    for comment in PlanComment.objects.filter(experiment=row).select_related("by", "resolved_by"):
        by_section.setdefault(comment.section, []).append(comment)
    return {
        "experiment": row,
        "document_title": document_title(row),
        "document_facts": facts_line(row),
        "document": [(section, by_section.get(section.slug, [])) for section in sections(row, known)],
        "open_comments": sum(comment.is_open for group in by_section.values() for comment in group),
        "may_comment": request.user.has_perm("experiments.add_plancomment"),
        "may_settle": request.user.has_perm("experiments.change_plancomment"),
        "may_change": is_draft and request.user.has_perm("experiments.change_experiment"),
        "known": known,
        "asks_numbers": is_draft and known.inflow is None and bool(row.primary_metrics),
    }
