"""Templates for plans: their content, what they fix, how a draft differs; saved, changed and archived as versions."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from experiments.models import Experiment, PlanTemplate, TemplateUse
from experiments.plan.record import COPIED, ExperimentKind
from runs.refusals import Refused

# Content of a template, and how a draft differs from it.
#
# Not copied: key, flag, name, seed, dates and holdout, which each draft has itself, and approvals.

OWN = ("flag_key", "name", "holdout_id")  # each draft has its own, beside what no copy of a plan takes over
FIELDS = tuple(name.removesuffix("_id") for name in COPIED if name not in OWN)
ROWS = ("variants", "audience")
FIXABLE = (*FIELDS, *ROWS)
ARM = ("key", "name", "value", "weight", "role", "dose")
WHO = ("segment_key", "coverage", "weights")

type Content = dict[str, Any]


def content_of(experiment: Experiment) -> Content:
    """A plan's content for a template, as plain JSON: `fields` by name, `variants` and `audience` in order.

    Moment and layer are stored by key, so that the content doesn't depend on row ids.
    """
    content = {
        "fields": {name: _plain(getattr(experiment, name)) for name in FIELDS},
        "variants": list(experiment.variants.order_by("position").values(*ARM)),
        "audience": list(experiment.audience.order_by("position").values(*WHO)),
    }
    plain: Content = json.loads(json.dumps(content, default=str))
    return plain


def value_of(content: Content, name: str) -> Any:
    """Value of one of `FIXABLE` in a content; None for a field that it doesn't have."""
    return content.get(name) if name in ROWS else content.get("fields", {}).get(name)


def kind_of(content: Content) -> str:
    """Kind of the plans that a content makes: those from before 0.5 have none, and make tests."""
    return str(content["fields"].get("kind", ExperimentKind.TEST))


def differences(before: Content, after: Content) -> list[tuple[str, Any, Any]]:
    """Name, old and new value of each of `FIXABLE` that differs between two contents and that both have."""
    known = [name for name in FIXABLE if name in ROWS or (name in before["fields"] and name in after["fields"])]
    return [(name, old, new) for name in known if (old := value_of(before, name)) != (new := value_of(after, name))]


def label_of(name: str) -> str:
    """Display name of one of `FIXABLE`."""
    rows = {"variants": _("Groups"), "audience": _("Audience")}
    if name in rows:
        return rows[name]
    column: Any = Experiment._meta.get_field(name)
    return capfirst(str(column.verbose_name))


def _plain(value: Any) -> Any:
    return getattr(value, "key", value)


# Refuse changes to a template's fixed fields in a draft made from it.


def refuse_fixed(experiment: Experiment) -> None:
    """Check fixed fields in the transaction of a change, after it: refusing rolls the change back.

    Raises:
        Refused: a field that the draft's template fixes differs from the template.
    """
    use = TemplateUse.objects.filter(experiment=experiment).select_related("template").first()
    if use is None or not use.fixed:
        return
    changed = [name for name, _old, _new in differences(use.content, content_of(experiment)) if name in use.fixed]
    if changed:
        raise Refused(
            "The template ‘{template}’ fixes {field}. Release the draft from its template to change it.",
            template=use.template.title,
            field=label_of(changed[0]),
        )


# Save a plan as a template, change and archive templates. Each change is a version in its history.


def save_as_template(
    *,
    experiment: Experiment,
    key: str,
    name: str,
    name_ko: str = "",
    description: str = "",
    fixed: Sequence[str] = (),
    by: User | None = None,
) -> PlanTemplate:
    """Store a plan's content, of an experiment in any state, as a new template.

    Args:
        experiment: that has the plan.
        key: of the template.
        name: in English; `name_ko` in Korean, may be empty.
        description: when to use it.
        fixed: names of `template_content.FIXABLE` that drafts of it may not change.
        by: the account that saves it.

    Raises:
        Refused: a key that exists or is invalid, or a field that can't be fixed.
    """
    template = PlanTemplate(
        key=key,
        name=name,
        name_ko=name_ko,
        description=description,
        content=content_of(experiment),
        fixed=_checked(fixed),
        created_by=by,
    )
    _save(template, by, "created")
    return template


@transaction.atomic
def change_template(
    *, template: PlanTemplate, by: User | None = None, content_from: Experiment | None = None, **values: Any
) -> PlanTemplate:
    """Change name, name_ko, description or fixed fields; or replace the content with another plan's.

    Drafts made before keep their content.

    Raises:
        Refused: it is archived, or a field can't hold its value.
    """
    row = PlanTemplate.objects.select_for_update().get(pk=template.pk)
    if row.archived_at is not None:
        raise Refused("The template is archived: bring it back first.")
    before = {name: getattr(row, name) for name in ("name", "name_ko", "description", "fixed", "content")}
    for name, value in values.items():
        setattr(row, name, _checked(value) if name == "fixed" else value)
    if content_from is not None:
        row.content = content_of(content_from)
    if all(getattr(row, name) == value for name, value in before.items()):
        return row  # a save without changes makes no new version
    row.version += 1
    _save(row, by, "changed")
    return row


@transaction.atomic
def archive_template(*, template: PlanTemplate, archived: bool, by: User | None = None) -> PlanTemplate:
    """Archive a template, so that it isn't offered for new drafts; or restore it."""
    row = PlanTemplate.objects.select_for_update().get(pk=template.pk)
    if (row.archived_at is not None) == archived:
        return row
    row.archived_at = timezone.now() if archived else None
    _save(row, by, "archived" if archived else "brought back")
    return row


def _checked(fixed: Sequence[str]) -> list[str]:
    unknown = [name for name in fixed if name not in FIXABLE]
    if unknown:
        raise Refused("A template can't fix '{field}'.", field=unknown[0])
    return [name for name in FIXABLE if name in fixed]


def _save(row: PlanTemplate, by: User | None, why: str) -> None:
    row._history_user = by  # type: ignore[attr-defined]
    row._change_reason = why  # type: ignore[attr-defined]
    try:
        row.full_clean()
    except ValidationError as error:
        sentences = " ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        raise Refused(sentences) from None
    row.save()
