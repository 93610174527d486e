"""Models of experiments: the plan, its audience, and the sticky assignment of each unit.

Write these rows through services, which log the change and make every process reload the configuration.
"""

import secrets
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from aha import made_names
from aha.models import AhaMoment
from events.models import Tag
from experiments.plan.lifecycle import LIVE
from experiments.plan.lifecycle import Status as State
from experiments.plan.record import FIELDS, FROZEN, LISTS, WHOLE, ExperimentKind, Kind, PlanColumns, PlanField
from runs.site_zone import site_zone


def new_seed() -> str:
    """A random seed for a draw. ASCII, so that SDKs of every language hash the same bytes."""
    return secrets.token_hex(6)


def column_of(field: PlanField) -> "models.Field[Any, Any]":
    """The column of a plan field."""
    options: dict[str, Any] = {"unique": field.unique, "db_index": field.indexed}
    if field.kind in LISTS:
        options |= {"default": list, "blank": True}
    elif field.kind is Kind.RULES:
        options |= {"default": dict, "blank": True}
    elif field.kind is Kind.PROSE:
        options |= {"blank": True}
    elif field.kind is Kind.CHOICE:
        options |= choice_options(field.column)
    elif field.kind in (Kind.TEXT, Kind.NAME):
        options |= {"max_length": field.most, "blank": field.kind is Kind.NAME}
        options |= {} if field.default is None else {"default": field.default}
    else:
        options |= {"null": True, "blank": True} if field.default is None else {"default": field.default}
    if field.db_default:
        options["db_default"] = models.Value([], models.JSONField()) if field.kind in LISTS else field.default
    column: models.Field[Any, Any] = COLUMN_KINDS[field.kind](_(field.label), **options)
    return column


def choice_options(column: str) -> dict[str, Any]:
    """Options of a column with the choices of this plan field."""
    return {"max_length": FIELDS[column].most, "choices": choices_of(column), "default": FIELDS[column].default}


def choices_of(column: str) -> list[tuple[str, Any]]:
    """Values and labels of a plan field's choices."""
    return [(str(value), _(label)) for value, label in FIELDS[column].choices.items()]


COLUMN_KINDS: dict[Kind, Any] = {
    **dict.fromkeys((Kind.TEXT, Kind.NAME, Kind.CHOICE), models.CharField),
    Kind.PROSE: models.TextField,
    **dict.fromkeys((Kind.SHARE, Kind.EFFECT), models.FloatField),
    **dict.fromkeys((Kind.COUNT, Kind.STEPS), models.PositiveIntegerField),
    Kind.DAYS: models.PositiveSmallIntegerField,
    Kind.DATE: models.DateField,
    Kind.SWITCH: models.BooleanField,
    **dict.fromkeys((Kind.VALUE, Kind.RULES, *LISTS), models.JSONField),
}

if TYPE_CHECKING:
    PlannedColumns = PlanColumns
else:
    PlannedColumns = type(
        "PlannedColumns",
        (models.Model,),
        {
            "__module__": __name__,
            "__doc__": "The columns of the table of plan fields.",
            "Meta": type("Meta", (), {"abstract": True}),
            **{name: column_of(field) for name, field in FIELDS.items() if field.kind is not Kind.OWN},
        },
    )


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


class Experiment(PlannedColumns, models.Model):
    """One experiment: what stands in `PlanColumns`, its related rows, and its state."""

    class Status(models.TextChoices):
        DRAFT = State.DRAFT.value, _("draft")
        RUNNING = State.RUNNING.value, _("running")
        PAUSED = State.PAUSED.value, _("paused")
        STOPPED = State.STOPPED.value, _("stopped")
        CONCLUDED = State.CONCLUDED.value, _("closed with a note")
        ARCHIVED = State.ARCHIVED.value, _("archived")

    moment = models.ForeignKey(
        AhaMoment,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="experiments",
        verbose_name=_("AHA moment"),
    )
    layer = models.ForeignKey(
        Layer, null=True, blank=True, on_delete=models.PROTECT, related_name="experiments", verbose_name=_("layer")
    )
    holdout = models.ForeignKey(
        Holdout, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("holdout")
    )
    seed = models.CharField(max_length=64, default=new_seed, editable=False)
    hash_version = models.PositiveSmallIntegerField(default=2, editable=False)

    # The planned end set before 0.5, whose button may have filled in the day of the result; see `status.ending`.
    end_before_05 = models.DateField(null=True, editable=False)

    # `settings.CLIENT_NEW_IDS` at the start. Null: a draft, or started before 0.5 and admitted as in 0.4.
    client_new_ids = models.PositiveIntegerField(null=True, editable=False)

    # The site's zone at the start, which the days of this experiment keep: see `zone`.
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

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
    concluded_at = models.DateTimeField(_("closed with a note"), null=True, editable=False)
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
    def flags(self) -> list[str]:
        """Keys of all flags that callers may ask for: of a lab its own, and one for each nudge."""
        return [self.flag_key, *(f"{self.flag_key}.{nudge['key']}" for nudge in self.nudges)]

    @property
    def moves_whole_clusters(self) -> bool:
        """True when a behaviour is tested on clusters with one arm each: no verdict is about a member's own acts."""
        partly = any(0 < share < WHOLE for share, _weight in self.saturations)
        return bool(self.cluster and self.moment_id) and not partly

    @property
    def zone(self) -> str:
        """The zone of its days: of a draft the site's; started before 0.5, that of the settings."""
        return self.time_zone or (settings.TIME_ZONE if self.is_frozen else site_zone())

    @property
    def is_lab(self) -> bool:
        """True for a plan with several nudges, each drawn by itself."""
        return self.kind == ExperimentKind.LAB

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

    @property
    def title(self) -> str:
        """Its name for people: of a lab the names of its nudges."""
        if not self.experiment.is_lab:
            return self.name or self.key
        value = self.value or {}
        names = [row["name"] or row["key"] for row in self.experiment.nudges if value.get(row["key"])]
        return " + ".join(names) or gettext("no nudge")


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
    # Mark (`events.people.visits`) of the client-key caller that created the row; "" for all others, and before 0.5.
    visit = models.CharField(max_length=8, default="", db_default="")
    named_at = models.DateTimeField(null=True)  # when a server key requested it, where a client key had created it

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        # Unit first: one index serves look-ups of one flag and of all flags of a unit.
        constraints = [models.UniqueConstraint(fields=["unit", "experiment"], name="one_per_unit")]

    def __str__(self) -> str:
        return f"{self.unit} in {self.experiment_id}"
