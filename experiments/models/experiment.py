"""Models of experiments: the plan, its audience, and the sticky assignment of each unit.

Write these rows through services, which log the change and make every process reload the configuration.
"""

import secrets
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from aha import made_names
from aha.models import AhaMoment
from events.models import Tag
from experiments.plan.lifecycle import LIVE
from experiments.plan.lifecycle import Status as State
from experiments.plan.record import FROZEN, WHOLE


def new_seed() -> str:
    """A random seed for a draw. ASCII, so that SDKs of every language hash the same bytes."""
    return secrets.token_hex(6)


class Layer(models.Model):
    """Mutual exclusion: experiments of one layer have disjoint slices of its draws."""

    key = models.CharField(_("key"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("layer")
        verbose_name_plural = _("layers")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @property
    def seed(self) -> str:
        """Seed of the layer's draws, derived from its key, which must not change while experiments use it."""
        return f"layer:{self.key}"


class Holdout(models.Model):
    """Units excluded from all experiments, to measure the joint effect of all of them."""

    key = models.CharField(_("key"), max_length=64, unique=True)
    share = models.PositiveIntegerField(_("share in steps of 0.01 %"))
    active = models.BooleanField(_("new experiments keep it"), default=True)

    class Meta:
        verbose_name = _("holdout")
        verbose_name_plural = _("holdouts")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @property
    def seed(self) -> str:
        """Seed of the holdout's draws."""
        return f"holdout:{self.key}"


class Experiment(models.Model):
    """One experiment: question, how it is judged, audience, and state."""

    class Status(models.TextChoices):
        DRAFT = State.DRAFT.value, _("draft")
        RUNNING = State.RUNNING.value, _("running")
        PAUSED = State.PAUSED.value, _("paused")
        STOPPED = State.STOPPED.value, _("stopped")
        CONCLUDED = State.CONCLUDED.value, _("concluded")
        ARCHIVED = State.ARCHIVED.value, _("archived")

    class ValueType(models.TextChoices):
        STRING = "string", _("text")
        INTEGER = "integer", _("whole number")
        NUMBER = "number", _("number")
        BOOLEAN = "boolean", _("yes or no")
        JSON = "json", _("JSON")

    class Method(models.TextChoices):
        FIXED = "fixed", _("one look, on the day of the result")
        GROUP_SEQUENTIAL = "group_sequential", _("planned looks")
        ALWAYS_VALID = "always_valid", _("any look, any time")

    class Spending(models.TextChoices):
        OBRIEN_FLEMING = "obrien_fleming", _("O'Brien-Fleming type: nearly all at the end")
        POCOCK = "pocock", _("Pocock type: evenly")

    class Primary(models.TextChoices):
        UNADJUSTED = "unadjusted", _("without covariates")
        LIN = "lin", _("adjusted for the covariates (Lin)")
        LIN_PREDICTED = "lin_predicted", _("adjusted for the outcome that the covariates predict (Lin)")

    class ClockZero(models.TextChoices):
        EXPOSURE = "exposure", _("the first exposure")
        SIGNUP = "signup", _("the signup")

    class DayMode(models.TextChoices):
        ROLLING = "rolling", _("24 hours each")
        CALENDAR = "calendar", _("calendar days")

    class Otherwise(models.TextChoices):
        SHIP = "ship", _("ship it all the same")
        DONT = "dont", _("don't ship it")
        ASK = "ask", _("people decide")

    class Enrolment(models.TextChoices):
        ALL = "all", _("everyone in the audience")
        NEW_UNITS = "new_units", _("only units that signed up after the start")

    key = models.CharField(_("key"), max_length=128, unique=True)
    flag_key = models.CharField(_("flag key"), max_length=128, db_index=True)
    name = models.CharField(_("name"), max_length=200)
    hypothesis = models.TextField(_("hypothesis"), blank=True)
    moment = models.ForeignKey(
        AhaMoment,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="experiments",
        verbose_name=_("AHA moment"),
    )
    nudge = models.TextField(_("nudge"), blank=True)
    value_type = models.CharField(_("type of value"), max_length=10, choices=ValueType, default=ValueType.STRING)
    default_value = models.JSONField(_("value outside the experiment"), null=True, blank=True)
    primary_metrics = models.JSONField(_("primary outcomes"), default=list, blank=True)
    secondary_metrics = models.JSONField(_("secondary outcomes"), default=list, blank=True)
    guardrail_metrics = models.JSONField(_("guardrail outcomes"), default=list, blank=True)
    guardrail_rules = models.JSONField(_("rules of guardrails"), default=dict, blank=True)
    otherwise = models.CharField(
        _("if neither success nor harm is proved"), max_length=4, choices=Otherwise, default=Otherwise.ASK
    )
    alpha = models.FloatField(_("alpha"), default=0.05)
    power = models.FloatField(_("power"), default=0.8)
    smallest_effect = models.FloatField(_("smallest effect of interest"), null=True, blank=True)
    planned_effect = models.FloatField(_("planned effect"), null=True, blank=True)
    method = models.CharField(_("method"), max_length=20, choices=Method, default=Method.FIXED)
    expected_take_up = models.FloatField(_("expected take-up"), null=True, blank=True)
    planned_units = models.PositiveIntegerField(_("planned units"), null=True, blank=True)
    planned_end = models.DateField(_("planned end"), null=True, blank=True)
    # Expected values where the log has none: used for the size, never for the verdict.
    expected_daily_units = models.PositiveIntegerField(_("new users a day, expected"), null=True, blank=True)
    expected_base = models.FloatField(_("outcome without the nudge, expected"), null=True, blank=True)
    # The planned end set before 0.5, whose button may have filled in the day of the result; see `standing.ending`.
    end_before_05 = models.DateField(null=True, editable=False)
    looks = models.JSONField(_("planned looks, shares of the planned units"), default=list, blank=True)
    spending = models.CharField(
        _("how looks spend alpha"), max_length=20, choices=Spending, default=Spending.OBRIEN_FLEMING
    )
    covariates = models.JSONField(_("covariates: properties of the signup event"), default=list, blank=True)
    # The comparison that decides; the deciding outcomes are `primary_metrics`.
    primary = models.CharField(_("comparison that decides"), max_length=16, choices=Primary, default=Primary.UNADJUSTED)
    active_days_before = models.PositiveSmallIntegerField(
        _("active days before the exposure as a covariate: within so many days"), default=0
    )
    signup_event = models.CharField(_("signup event"), max_length=256, default="signup", blank=True)
    clock = models.CharField(_("day 0 begins with"), max_length=10, choices=ClockZero, default=ClockZero.EXPOSURE)
    day_mode = models.CharField(_("days are"), max_length=10, choices=DayMode, default=DayMode.ROLLING)
    churn_gap = models.PositiveSmallIntegerField(_("silent days that count as churn"), default=7)

    seed = models.CharField(max_length=64, default=new_seed, editable=False)
    hash_version = models.PositiveSmallIntegerField(default=2, editable=False)
    enrolment = models.CharField(_("enrolment"), max_length=10, choices=Enrolment, default=Enrolment.ALL)
    layer = models.ForeignKey(
        Layer, null=True, blank=True, on_delete=models.PROTECT, related_name="experiments", verbose_name=_("layer")
    )
    layer_low = models.PositiveIntegerField(_("slice from, in steps of 0.01 %"), default=0)
    layer_high = models.PositiveIntegerField(_("slice to"), default=10_000)
    holdout = models.ForeignKey(
        Holdout, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("holdout")
    )
    cluster = models.CharField(
        _("attribute whose clusters are drawn"), max_length=64, blank=True, default="", db_default=""
    )
    saturations = models.JSONField(
        _("saturations: share nudged and weight, in steps of 0.01 %"),
        default=list,
        blank=True,
        db_default=models.Value([], models.JSONField()),
    )
    remote_only = models.BooleanField(_("keep the configuration on the server"), default=False)
    sources = models.JSONField(_("sources whose client keys report exposures"), default=list, blank=True)

    # `settings.CLIENT_NEW_IDS` at the start. Null: a draft, or started before 0.5 and admitted as in 0.4.
    client_new_ids = models.PositiveIntegerField(null=True, editable=False)

    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("created by"),
    )
    # Set at creation and never changed: later edits by people don't change who drafted it.
    drafted_by_agent = models.CharField(
        _("drafted by the agent"), max_length=200, blank=True, default="", db_default="", editable=False
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    enrolment_closed_at = models.DateTimeField(_("enrolment closed"), null=True, editable=False)
    stopped_at = models.DateTimeField(_("stopped"), null=True, editable=False)
    concluded_at = models.DateTimeField(_("concluded"), null=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("owner"),
    )  # None: the creator
    tags = models.ManyToManyField(Tag, blank=True, editable=False, related_name="+", verbose_name=_("tags"))
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("experiment")
        verbose_name_plural = _("experiments")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["flag_key"], condition=models.Q(status__in=[s.value for s in LIVE]), name="one_live_per_flag"
            )
        ]

    def __str__(self) -> str:
        return self.key

    def clean(self) -> None:
        """Refuse, in every form, changes to fields that the draw depends on once the experiment has started."""
        refuse_frozen(self, FROZEN)

    @property
    def title(self) -> str:
        """Its name for this reader: generated names are shown in the reader's language."""
        return self.name if self.moment is None else made_names.name_of_test(self.name, self.moment)

    @property
    def hypothesis_shown(self) -> str:
        """Its hypothesis for this reader, like `title`."""
        return self.hypothesis if self.moment is None else made_names.hypothesis(self.hypothesis, self.moment)

    @property
    def moves_whole_clusters(self) -> bool:
        """True when a behaviour is tested on clusters with one arm each: no verdict is about a member's own acts."""
        partly = any(0 < share < WHOLE for share, _weight in self.saturations)
        return bool(self.cluster and self.moment_id) and not partly

    @property
    def is_frozen(self) -> bool:
        """True once started."""
        return self.started_at is not None


def refuse_frozen(row: models.Model, names: tuple[str, ...]) -> None:
    """Refuse that a stored row of a started experiment changes in `names`, or that one is added (ValidationError)."""
    experiment: Any = row if isinstance(row, Experiment) else getattr(row, "experiment", None)
    if experiment is None or experiment.started_at is None:
        return
    before: dict[str, Any] | None = type(row)._default_manager.filter(pk=row.pk).values(*names).first()
    if before is None:
        raise ValidationError(_("The experiment has started: nothing can be added to it."))
    changed = [name for name in names if before[name] != getattr(row, name)]
    if changed:
        raise ValidationError(
            _("The experiment has started: %(field)s is frozen."), params={"field": changed[0].removesuffix("_id")}
        )


class Variant(models.Model):
    """One arm. The one at position 0 is control, whatever its role."""

    class Role(models.TextChoices):
        NUDGE = "nudge", _("nudge to the behaviour")
        PLACEBO = "placebo", _("placebo: as loud, towards something inert")
        DOSE = "dose", _("nudge to another number of times")

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="variants")
    position = models.PositiveSmallIntegerField(_("position"))
    key = models.CharField(_("key"), max_length=128)
    name = models.CharField(_("name"), max_length=200, blank=True)
    value = models.JSONField(_("value"), null=True, blank=True)
    weight = models.PositiveIntegerField(_("weight in steps of 0.01 %"))
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.NUDGE)
    dose = models.PositiveIntegerField(_("nudges to so many times"), null=True, blank=True)

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering = ["experiment", "position"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "key"], name="variant_key"),
            models.UniqueConstraint(fields=["experiment", "position"], name="variant_position"),
        ]

    def __str__(self) -> str:
        return self.key

    def clean(self) -> None:
        """Refuse changes to arms after the start."""
        refuse_frozen(self, ("position", "key", "value", "weight", "role", "dose"))

    @property
    def is_control(self) -> bool:
        """True for the first arm."""
        return self.position == 0


class AudienceRow(models.Model):
    """One audience row: a segment with its own coverage and weights, or everyone. The first matching row decides."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="audience")
    position = models.PositiveSmallIntegerField(_("position"))
    segment_key = models.CharField(_("segment"), max_length=128, null=True, blank=True)  # noqa: DJ001 - null: everyone
    rule = models.JSONField(_("rule, as it was at the start"), null=True, blank=True)
    coverage = models.PositiveIntegerField(_("coverage in steps of 0.01 %"), default=10_000)
    weights = models.JSONField(_("weights of its own"), null=True, blank=True)

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audience")
        ordering = ["experiment", "position"]
        constraints = [models.UniqueConstraint(fields=["experiment", "position"], name="audience_position")]

    def __str__(self) -> str:
        return self.segment_key or "*"

    def clean(self) -> None:
        """After the start only allow a larger coverage: a smaller one would remove units."""
        refuse_frozen(self, ("position", "segment_key", "rule", "weights"))
        stored = AudienceRow.objects.filter(pk=self.pk).values_list("coverage", flat=True).first()
        if self.experiment.is_frozen and stored is not None and self.coverage < stored:
            raise ValidationError(_("The experiment has started: coverage can only grow."))


class Override(models.Model):
    """An arm without a draw, for testing: for one unit, or for callers whose context matches a rule."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="overrides")
    unit = models.CharField(_("unit"), max_length=256, null=True, blank=True)  # noqa: DJ001 - null: by rule
    rule = models.JSONField(_("rule on the context"), null=True, blank=True)
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="+", verbose_name=_("variant"))

    class Meta:
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        ordering = ["experiment", "id"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "unit"], name="override_unit"),
            models.CheckConstraint(
                condition=models.Q(unit__isnull=True, rule__isnull=False)
                | models.Q(unit__isnull=False, rule__isnull=True),
                name="override_unit_or_rule",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit or '*'} → {self.variant_id}"


class Assignment(models.Model):
    """The sticky assignment of one unit in one experiment, with its segment then. Only joining ids changes its arm."""

    unit = models.CharField(_("unit"), max_length=256)
    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="assignments")
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="+", db_index=False)
    segment_key = models.CharField(_("segment"), max_length=128, null=True)  # noqa: DJ001 - null: by a row for everyone
    bucket = models.PositiveSmallIntegerField(_("draw in steps of 0.0001"))
    assigned_at = models.DateTimeField(_("assigned"))
    exposed_at = models.DateTimeField(_("exposed"), null=True)
    cluster = models.CharField(_("cluster"), max_length=256, null=True)  # noqa: DJ001 - null: units are drawn
    drawn_by = models.CharField(_("drawn by"), max_length=256, null=True)  # noqa: DJ001 - null: by the unit itself
    former_variant = models.PositiveBigIntegerField(null=True)  # the arm before another id of the person decided
    # Mark (`events.visits`) of the client-key caller that created the row; "" for all others, and before 0.5.
    visit = models.CharField(max_length=8, default="", db_default="")
    named_at = models.DateTimeField(null=True)  # when a server key requested it, where a client key had created it

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        # Unit first: one index serves look-ups of one flag and of all flags of a unit.
        constraints = [models.UniqueConstraint(fields=["unit", "experiment"], name="one_per_unit")]

    def __str__(self) -> str:
        return f"{self.unit} in {self.experiment_id}"
