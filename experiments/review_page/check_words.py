"""Words for review checks: a title, and one sentence about the result."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from experiments.review_page.automatic import CheckState, ReviewCheck
from reporting.numbers import count, percent


def title(check: ReviewCheck) -> str:
    """Title of a check."""
    titles = {
        "power": _("Size: enough units for the planned effect"),
        "placebo": _("Placebo variant, or a reason without one"),
        "guardrails": _("Guardrails with margins"),
        "overlap": _("Overlap with running experiments"),
        "window": _("The behaviour ends before the outcome begins"),
        "sample_ratio": _("Split of earlier experiments"),
        "links": _("Links to design, ticket or text"),
    }
    return check.label or titles[check.code]


def state_words(check: ReviewCheck) -> str:
    """The state as a tag."""
    words = {CheckState.OK: _("fine"), CheckState.WARN: _("look at it"), CheckState.MISSING: _("missing")}
    if check.label:
        unticked = _("not ticked")
        older = _("ticked before a change") if check.older else unticked
        words |= {CheckState.OK: _("ticked"), CheckState.WARN: older, CheckState.MISSING: unticked}
    return words[check.state]


def value(check: ReviewCheck) -> str:
    """The result as a sentence; "" for a team's own check, which has a note instead."""
    if check.label:
        return ""
    says = {
        "power": _power,
        "placebo": _placebo,
        "guardrails": _guardrails,
        "overlap": _overlap,
        "window": _window,
        "sample_ratio": _sample_ratio,
        "links": _links,
    }
    return says[check.code](check.facts)


def _power(facts: dict[str, Any]) -> str:
    if facts["planned"] is None:
        return _("No size is planned.")
    if facts["power"] is None:
        text = _("{units} units are planned. How many come isn't counted yet, so the power is unknown.")
        return text.format(units=count(facts["planned"]))
    text = _("{units} units see the planned effect with a chance of {power}; the plan wants {wanted}.")
    return text.format(
        units=count(facts["planned"]), power=percent(facts["power"], 0), wanted=percent(facts["wanted"], 0)
    )


def _placebo(facts: dict[str, Any]) -> str:
    if not facts["needed"]:
        return _("No AHA moment is tested, so none is needed.")
    if facts["arm"] is None:
        return _("There is no placebo: tick this with the reason.")
    return _("The variant {arm} is the placebo.").format(arm=facts["arm"])


def _guardrails(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No guardrail is watched.")
    text = ngettext(
        "{n} guardrail, {ruled} of them with a margin.", "{n} guardrails, {ruled} of them with a margin.", facts["n"]
    )
    return text.format(n=facts["n"], ruled=facts["with_margin"])


def _overlap(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No running experiment has the same audience without a layer in common.")
    text = ngettext(
        "{n} running experiment has the same audience and no layer in common: {keys}.",
        "{n} running experiments have the same audience and no layer in common: {keys}.",
        facts["n"],
    )
    return text.format(n=facts["n"], keys=", ".join(facts["experiments"]))


def _window(facts: dict[str, Any]) -> str:
    if not facts["needed"]:
        return _("No AHA moment is tested, so no window can overlap.")
    if facts.get("outcome_from") is None:
        return _("No primary outcome says when it begins.")
    text = _("The behaviour counts on days 0 to {last}, the outcome from day {first} on.")
    return text.format(last=facts["behaviour_days"] - 1, first=facts["outcome_from"])


def _sample_ratio(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No earlier experiment was analysed.")
    text = ngettext(
        "{broken} of the {n} latest analysed experiment had a broken split.",
        "{broken} of the {n} latest analysed experiments had a broken split.",
        facts["n"],
    )
    return text.format(broken=facts["broken"], n=facts["n"])


def _links(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No link stands in the plan, its comments or these notes.")
    return ngettext("{n} link: {links}", "{n} links: {links}", facts["n"]).format(
        n=facts["n"], links=", ".join(facts["links"])
    )
