"""Refuse changes to a template's fixed fields in a draft made from it."""

from experiments.models import Experiment, TemplateUse
from experiments.plan.template_content import content_of, differences, label_of
from runs.refusals import Refused


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
