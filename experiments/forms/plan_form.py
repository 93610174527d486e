"""The plan as one form of the admin."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from experiments.forms.adjustment_form import AdjustmentForm
from experiments.models import Experiment
from experiments.plan.record import WHOLE
from experiments.steps.fields import LinesField, LooksField, MetricsField, PercentField, SourcesField, ValueField
from experiments.steps.guardrail_field import RulesField
from experiments.steps.saturations_field import cluster_field, saturations_field


class DraftForm(AdjustmentForm):
    """The plan."""

    default_value = ValueField(
        label=_("value outside the experiment"), required=False, widget=UnfoldAdminTextInputWidget
    )
    primary_metrics = MetricsField(
        label=_("primary outcomes"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("One or two, one a line, for example window:14-20."),
    )
    secondary_metrics = MetricsField(
        label=_("secondary outcomes"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    guardrail_metrics = MetricsField(
        label=_("guardrail outcomes"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    guardrail_rules = RulesField(label=_("rules of guardrails"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    cluster, saturations = cluster_field(UnfoldAdminTextInputWidget), saturations_field(UnfoldAdminTextInputWidget)
    looks = LooksField(label=_("planned looks (%)"), required=False, widget=UnfoldAdminTextInputWidget)
    covariates = LinesField(
        label=_("covariates: properties of the signup event"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    sources = SourcesField(
        label=_("sources whose client keys report exposures"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_(
            "One a line: the apps and sites that show the experiment. What other client keys send is not counted; "
            "server keys and Insight's own doors always count. Left empty, a start takes the only source there is."
        ),
    )
    layer_low = PercentField(label=_("slice from (%)"), required=False, widget=UnfoldAdminDecimalFieldWidget)
    layer_high = PercentField(label=_("slice to (%)"), required=False, widget=UnfoldAdminDecimalFieldWidget)

    class Meta:
        model = Experiment
        fields: Sequence[str] = ()  # those of the admin
        widgets = {name: UnfoldAdminTextareaWidget(attrs={"rows": 3}) for name in ("hypothesis", "nudge")}

    def clean_layer_low(self) -> int:
        """Empty is the beginning."""
        return self.cleaned_data["layer_low"] or 0

    def clean_layer_high(self) -> int:
        """Empty is the end."""
        high = self.cleaned_data["layer_high"]
        return WHOLE if high is None else int(high)
