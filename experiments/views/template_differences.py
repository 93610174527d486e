"""A template's content in words, and what of a plan differs from the template that it was made from."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from experiments.models import Experiment, TemplateUse
from experiments.plan.template_content import FIXABLE, ROWS, Content, content_of, differences, label_of, value_of
from experiments.standing.history import worded
from reporting.numbers import percent

WHOLE = 10_000
UNUSUAL: tuple[Any, ...] = ("", None, [], {})


@dataclass(frozen=True)
class FromTemplate:
    """Where a draft came from.

    Attributes:
        use: the template, and its version then.
        lines: field, as the template has it, as the plan has it.
        fixed: fields that the draft may not change, in words.
    """

    use: TemplateUse
    lines: list[tuple[str, str, str]]
    fixed: list[str]


def template_of(row: Experiment) -> FromTemplate | None:
    """The template that a plan was made from, and what differs; None for a plan without one."""
    use = TemplateUse.objects.filter(experiment=row).select_related("template").first()
    if use is None:
        return None
    return FromTemplate(use, compared(use.content, content_of(row)), [label_of(name) for name in use.fixed])


def compared(before: Content, after: Content) -> list[tuple[str, str, str]]:
    """Each field in which two contents differ, in words."""
    return [(label_of(name), words(name, old), words(name, new)) for name, old, new in differences(before, after)]


def lines(content: Content) -> list[tuple[str, str, str]]:
    """What a template says: name, label and words of each field that it fills."""
    slices = () if value_of(content, "layer") else ("layer_low", "layer_high")  # of no layer: they say nothing
    return [
        (name, label_of(name), words(name, value))
        for name in FIXABLE
        if name not in slices and (value := value_of(content, name)) not in UNUSUAL
    ]


def words(name: str, value: Any) -> str:
    """One value as people read it; moment and layer are their keys."""
    if name == "variants":
        return ", ".join(f"{one['name'] or one['key']} {percent(one['weight'] / WHOLE, 0)}" for one in value or [])
    if name == "audience":
        said = [f"{one['segment_key'] or _('everyone')} {percent(one['coverage'] / WHOLE, 0)}" for one in value or []]
        return ", ".join(said) or _("everyone")
    if value is None or value in ("", []):
        return "–"
    field = Experiment._meta.get_field(name)
    if name in ROWS or field.is_relation:
        return str(value)
    return worded(value, field)
