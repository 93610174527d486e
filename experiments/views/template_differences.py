"""A template's content in words, and how a plan differs from its template."""

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
    """The template of a draft.

    Attributes:
        use: the template, and its version then.
        lines: field, value in the template, value in the plan.
        fixed: fields that the draft may not change, in words.
    """

    use: TemplateUse
    lines: list[tuple[str, str, str]]
    fixed: list[str]


def template_of(row: Experiment) -> FromTemplate | None:
    """The template that a plan was made from, and the differences; None for a plan without one."""
    use = TemplateUse.objects.filter(experiment=row).select_related("template").first()
    if use is None:
        return None
    return FromTemplate(use, compared(use.content, content_of(row)), [label_of(name) for name in use.fixed])


def compared(before: Content, after: Content) -> list[tuple[str, str, str]]:
    """Fields that differ between two contents, in words."""
    return [(label_of(name), words(name, old), words(name, new)) for name, old, new in differences(before, after)]


def lines(content: Content) -> list[tuple[str, str, str]]:
    """Name, label and words of each field that a template fills."""
    slices = () if value_of(content, "layer") else ("layer_low", "layer_high")  # meaningless without a layer
    return [
        (name, label_of(name), words(name, value))
        for name in FIXABLE
        if name not in slices and (value := value_of(content, name)) not in UNUSUAL
    ]


def words(name: str, value: Any) -> str:
    """One value in words; moment and layer are their keys."""
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
