"""Save a plan as a template, change and archive templates. Each change is a version in its history."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from experiments.models import Experiment, PlanTemplate
from experiments.plan.template_content import FIXABLE, content_of
from runs.refusals import Refused


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
