"""What a template has fixed can't be changed in a draft that was made from it."""

from experiments.models import Experiment, TemplateUse
from experiments.plan.template_content import content_of, differences, label_of
from runs.refusals import Refused


def refuse_fixed(experiment: Experiment) -> None:
    """Called in the transaction of a change, after it: everything is taken back when this refuses.

    Raises:
        Refused: a field that the draft's template has fixed isn't what the template says.
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
