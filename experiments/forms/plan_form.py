"""The plan as one form."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from experiments.forms.adjustment_form import AdjustmentForm
from experiments.forms.guardrail_field import RulesField
from experiments.forms.plan_fields import LinesField, LooksField, MetricsField, PercentField, SourcesField, ValueField
from experiments.forms.saturations_field import cluster_field, saturations_field
from experiments.models import Experiment
from experiments.plan.record import WHOLE


class DraftForm(AdjustmentForm):
    """The plan."""

    default_value = ValueField(label=_("value outside the experiment"), required=False)
    primary_metrics = MetricsField(
        label=_("primary outcomes"), required=False, help_text=_("One or two, one a line, for example window:14-20.")
    )
    secondary_metrics = MetricsField(label=_("secondary outcomes"), required=False)
    guardrail_metrics = MetricsField(label=_("guardrail outcomes"), required=False)
    guardrail_rules = RulesField(label=_("rules of guardrails"))
    cluster, saturations = cluster_field(), saturations_field()
    looks = LooksField(label=_("planned looks (%)"), required=False)
    covariates = LinesField(label=_("covariates: properties of the signup event"), required=False)
    sources = SourcesField(
        label=_("sources whose client keys report exposures"),
        required=False,
        help_text=_(
            "One a line: the apps and sites that show the experiment. What other client keys send is not counted; "
            "server keys and Insight's own doors always count. Left empty, a start takes the only source there is."
        ),
    )
    layer_low = PercentField(label=_("slice from (%)"), required=False)
    layer_high = PercentField(label=_("slice to (%)"), required=False)

    class Meta:
        model = Experiment
        fields: Sequence[str] = ()  # set by the admin
        widgets = {name: UnfoldAdminTextareaWidget(attrs={"rows": 3}) for name in ("hypothesis", "nudge")}

    def clean_layer_low(self) -> int:
        """Empty means the beginning of the layer."""
        return self.cleaned_data["layer_low"] or 0

    def clean_layer_high(self) -> int:
        """Empty means the end of the layer."""
        high = self.cleaned_data["layer_high"]
        return WHOLE if high is None else int(high)
