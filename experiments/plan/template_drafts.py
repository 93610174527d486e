"""Create drafts from a template; they store its content at that time."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from aha.models import AhaMoment
from experiments.models import Experiment, Layer, PlanTemplate, TemplateUse
from experiments.plan.drafts import create_draft, free_key
from experiments.plan.lifecycle import Status
from experiments.plan.template_content import FIELDS, Content
from experiments.plan.template_fixed import refuse_fixed
from experiments.plan.writing import locked, save_plan
from runs.refusals import Refused

RELEASED = "template released"  # the reason in a draft's history


@transaction.atomic
def draft_from_template(
    *, template: PlanTemplate, name: str, key: str | None = None, by: User | None = None, **values: Any
) -> Experiment:
    """Create a draft with a template's content, its own draw and flag, and without dates.

    Args:
        template: one that isn't archived.
        name: of the experiment.
        key: of the experiment; None for the template's key with a number.
        by: the account that creates it.
        values: fields of `Experiment` that differ from the template from the beginning.

    Raises:
        Refused: an archived template, one whose moment or layer was deleted, another value of a fixed field, or a key
            that exists.
    """
    if template.archived_at is not None:
        raise Refused("The template is archived: no draft is made from it any more.")
    made = create_draft(
        key=key or free_key(template.key),
        name=name,
        by=by,
        variants=template.content["variants"],
        audience=template.content["audience"],
        **{**_fields(template.content), **values},
    )
    TemplateUse.objects.create(
        experiment=made, template=template, version=template.version, content=template.content, fixed=template.fixed
    )
    refuse_fixed(made)
    return made


@transaction.atomic
def release(*, key: str, by: User | None = None) -> Experiment:
    """Let a draft change its template's fixed fields; it keeps the reference to the template.

    Raises:
        Refused: it isn't a draft, or it has no fixed fields.
    """
    experiment = locked(key)
    use = TemplateUse.objects.filter(experiment=experiment).first()
    if experiment.status != Status.DRAFT or use is None or not use.fixed:
        raise Refused("No template fixes anything of this plan.")
    use.fixed = []
    use.save(update_fields=["fixed"])
    save_plan(experiment, by, RELEASED)
    return experiment


def _fields(content: Content) -> dict[str, Any]:
    """Fields of a stored content that this version has, with moment and layer as rows."""
    found = {name: value for name, value in content["fields"].items() if name in FIELDS}
    for name, model in (("moment", AhaMoment), ("layer", Layer)):
        key = found.get(name)
        if key is None:
            continue
        row = model._default_manager.filter(key=key).first()
        if row is None:
            raise Refused("The template names {what} '{key}', which is gone.", what=name, key=key)
        found[name] = row
    return found
