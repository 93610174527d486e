"""Tables of the event log: waiting and refused events, names and tags, and the metric catalogue."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from events.metrics.facts import HIGHER, LOWER, Facts
from runs.models import Run


class Source(models.Model):
    """Where events come from: one app, site or backend. Message ids are unique within a source and a kind of key."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    retention_days = models.PositiveIntegerField(
        _("days to keep events"),
        null=True,
        blank=True,
        help_text=_(
            "Older ones are deleted each night, but for those that a plan needs. Empty: as the site's setting."
        ),
    )
    trusts_logins = models.BooleanField(
        _("believe logins that client keys report"),
        default=False,
        db_default=False,
        help_text=_(
            "A client key lies in every page, so anybody can say with it that a visitor is some user. Leave it off "
            "where a server key reports logins, or where an experiment decides about much."
        ),
    )

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Flush(models.Model):
    """A batch on its way from the outbox to the store. Its rows are fixed before anything is written.

    At most one is open: batches are numbered, and the store refuses a lower number after a higher one. So outbox rows
    belong either to the open batch or to none.
    """

    version = models.PositiveBigIntegerField(_("number"), unique=True)
    writer = models.CharField(
        _("writer"), max_length=64
    )  # the writer who numbers the batches: one for each database, under this name in Delta
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    committed_at = models.DateTimeField(_("in the store since"), null=True, blank=True, db_index=True)
    rows = models.PositiveIntegerField(_("events"), default=0)
    # The outbox rows as [first id, last id] each: exactly those that were seen. Null: `FormerOutboxEvent`.
    ranges = models.JSONField(null=True, editable=False)

    class Meta:
        verbose_name = _("flush")
        verbose_name_plural = _("flushes")
        ordering = ["-version"]

    def __str__(self) -> str:
        return f"flush {self.version}"


class OutboxEvent(models.Model):
    """An accepted event that waits for the store; deleted once it is stored."""

    message_id = models.CharField(max_length=140)  # events/schema.py: "<source>:<kind of key>:<id of the sender>"
    user_id = models.CharField(max_length=256)
    event = models.CharField(max_length=256)
    time = models.DateTimeField()
    properties = models.TextField()
    received_at = models.DateTimeField()

    class Meta:
        db_table = "events_outbox"

    def __str__(self) -> str:
        return self.message_id


class MessageId(models.Model):
    """An accepted message id, to recognise repeats: its digest, which takes half the space of the text."""

    key = models.UUIDField(primary_key=True)  # events/outbox/accept.py
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.key)


class HourSalt(models.Model):
    """A secret that pseudonymises addresses during one hour, deleted when the hour is over (`events.people.visits`)."""

    hour = models.PositiveBigIntegerField(primary_key=True)  # hours since 1970
    salt = models.CharField(max_length=64)

    def __str__(self) -> str:
        return str(self.hour)


class FormerOutboxEvent(models.Model):
    """The outbox of releases before 0.4, to which an old web worker may still write.

    Its events are moved first; their ids are recognised until they expire. To be removed with the release after 0.4.
    """

    message_id = models.CharField(max_length=140, unique=True)
    user_id = models.CharField(max_length=256)
    event = models.CharField(max_length=256)
    time = models.DateTimeField()
    properties = models.TextField()
    received_at = models.DateTimeField()
    flush = models.ForeignKey(Flush, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "events_outboxevent"
        indexes = [models.Index(fields=["id"], name="outbox_waiting", condition=models.Q(flush__isnull=True))]

    def __str__(self) -> str:
        return self.message_id


class Arrivals(models.Model):
    """How many events of one source arrived in ten minutes, counted when they are stored."""

    source = models.PositiveBigIntegerField()  # its row may have been deleted
    began = models.DateTimeField()
    events = models.PositiveIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)  # arrived more than a day after they happened
    last = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "began"], name="one_count_of_ten_minutes")]

    def __str__(self) -> str:
        return f"source {self.source} {self.began}"


class UnitTraits(models.Model):
    """The latest traits of each unit, from identify events."""

    user_id = models.CharField(_("user"), max_length=256, unique=True)
    traits = models.JSONField(_("traits"), default=dict)
    times = models.JSONField(_("when each was said"), default=dict)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    is_user = models.BooleanField(null=True, editable=False)  # sent as `userId`; null: before 0.5, unknown

    class Meta:
        verbose_name = _("user traits")
        verbose_name_plural = _("user traits")

    def __str__(self) -> str:
        return self.user_id


class IdLink(models.Model):
    """A sender's report that two ids are one person: a visitor who logged in, or a user who was given another id.

    `events.people.identity` decides which links hold: at most one per visitor id.
    """

    class State(models.TextChoices):
        HOLDS = "holds", _("joined")
        SECOND_USER = "second_user", _("the visitor belongs to the user who logged in first")
        KNOWN_USER = "known_user", _("both are users")
        CYCLE = "cycle", _("they are one person already")
        TOO_MANY = "too_many", _("the person has too many ids")
        PUBLIC_KEY = "public_key", _("said by a client key alone")

    visitor = models.CharField(_("visitor"), max_length=256)
    user = models.CharField(_("user"), max_length=256, db_index=True)
    at = models.DateTimeField(_("logged in"))
    received_at = models.DateTimeField(_("received"))
    is_alias = models.BooleanField(_("by an alias"), default=False)
    by_server = models.BooleanField(_("said by a server key"), default=False)
    believed = models.BooleanField(default=False)  # from a server key, or from a source that trusts its client keys
    knew_visitor = models.BooleanField(default=False)  # visitor's id had been a user's when first reported
    source = models.PositiveBigIntegerField(null=True)  # its row may have been deleted
    state = models.CharField(_("state"), max_length=12, choices=State)
    in_store = models.BooleanField(default=True)  # whether the store's dictionary reflects the state

    class Meta:
        verbose_name = _("joined id")
        verbose_name_plural = _("joined ids")
        constraints = [
            models.UniqueConstraint(fields=["visitor", "user"], name="one_link_of_two_ids"),
            models.UniqueConstraint(
                fields=["visitor"], name="one_user_of_a_visitor", condition=models.Q(state="holds")
            ),
        ]
        indexes = [
            models.Index(fields=["id"], name="links_for_the_store", condition=models.Q(in_store=False)),
            models.Index(fields=["state", "received_at"], name="links_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor} → {self.user}"


class ErasedUser(models.Model):
    """The keyed digest of an erased user's id: their later events are dropped."""

    key = models.UUIDField(unique=True)  # events/people/tombstones.py
    until = models.DateTimeField(db_index=True)
    late = models.PositiveBigIntegerField(default=0)  # number of dropped late events

    def __str__(self) -> str:
        return str(self.key)


class Rejected(models.Model):
    """The quarantine: an event that could not be stored, with the reason, for people to read."""

    # None for an event without a key, or with an unreadable id.
    source = models.ForeignKey(Source, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("source"))
    received_at = models.DateTimeField(_("received"), db_index=True)
    code = models.CharField(_("reason"), max_length=40, db_index=True)
    message = models.CharField(_("explanation"), max_length=200)
    message_id = models.CharField(_("message id"), max_length=100, blank=True)
    payload = models.TextField(_("what was sent"))

    class Meta:
        verbose_name = _("rejected event")
        verbose_name_plural = _("rejected events")
        ordering = ["-received_at", "-id"]
        indexes = [models.Index(fields=["source", "received_at"], name="quarantine_of_an_hour")]

    def __str__(self) -> str:
        return f"{self.code} {self.message_id}".strip()


class Upload(models.Model):
    """An uploaded file that waits for its run; it is in a folder of its own below UPLOADS_DIR."""

    EVENTS = "events:import_map"

    key = models.UUIDField(_("key"), unique=True, default=uuid4, editable=False)
    name = models.CharField(_("file"), max_length=120)  # the shown name; the file on the disk has another
    size = models.PositiveBigIntegerField(_("bytes"))
    stored_as = models.CharField(max_length=20, blank=True)  # empty until the last byte has arrived
    digest = models.CharField(max_length=64, blank=True)
    # Route of the page that confirms its columns: a log of events, or a finished test.
    page = models.CharField(max_length=60, default=EVENTS, db_default=EVENTS, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("sent by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("uploaded file")
        verbose_name_plural = _("uploaded files")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class FileImport(Run):
    """The import of one uploaded file into the event store; its inputs are the mapping of the columns."""

    upload = models.ForeignKey(Upload, on_delete=models.SET_NULL, null=True, related_name="imports", editable=False)
    name = models.CharField(_("file"), max_length=120)
    digest = models.CharField(max_length=64, blank=True, db_index=True)  # of the file: recognises a repeated upload
    imported = models.PositiveBigIntegerField(_("new events"), null=True, blank=True)
    refused_rows = models.PositiveBigIntegerField(_("refused rows"), null=True, blank=True)

    class Meta(Run.Meta):
        verbose_name = _("import of a file")
        verbose_name_plural = _("imports of files")

    def __str__(self) -> str:
        return self.name


class CatalogueQuerySet(models.QuerySet["CatalogueSnapshot"]):
    def made(self) -> "CatalogueQuerySet":
        """Finished imports, newest first."""
        return self.filter(made_at__isnull=False).order_by("-pk")


class CatalogueSnapshot(models.Model):
    """The list of the store's events as last made by a worker; without `made_at` it is still being made."""

    started_at = models.DateTimeField(auto_now_add=True)
    made_at = models.DateTimeField(null=True)
    seconds = models.FloatField(default=0.0)
    store_version = models.CharField(max_length=100, blank=True)  # "" if the store has no version
    payload = models.JSONField(default=dict)

    objects = CatalogueQuerySet.as_manager()

    def __str__(self) -> str:
        return f"catalogue {self.pk} of {self.store_version or 'the warehouse'}"


class EventLabel(models.Model):
    """Labels of an event or one of its properties: shown on pages only, stored results keep the name as sent."""

    event = models.CharField(_("event"), max_length=256)
    property = models.CharField(_("property"), max_length=256, blank=True, default="")  # "" for the event itself
    name_en = models.CharField(_("display name, English"), max_length=80, blank=True, default="")
    name_ko = models.CharField(_("display name, Korean"), max_length=80, blank=True, default="")
    description_en = models.CharField(_("description, English"), max_length=500, blank=True, default="")
    description_ko = models.CharField(_("description, Korean"), max_length=500, blank=True, default="")
    hidden = models.BooleanField(_("hidden from lists"), default=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("event label")
        verbose_name_plural = _("event labels")
        ordering = ["event", "property"]
        constraints = [models.UniqueConstraint(fields=["event", "property"], name="one_label_of_a_name")]

    def __str__(self) -> str:
        return f"{self.event}.{self.property}" if self.property else self.event

    def name(self, language: str) -> str:
        """The display name in ``en`` or ``ko``; empty where there is none."""
        return self.name_ko if language == "ko" else self.name_en

    def description(self, language: str) -> str:
        """The description in ``en`` or ``ko``; empty where there is none."""
        return self.description_ko if language == "ko" else self.description_en

    def descriptions(self) -> tuple[str, str]:
        """The description in both languages."""
        return self.description_en, self.description_ko


class Tag(models.Model):
    """A tag on experiments, studies, moments and segments.

    A table with relations instead of a list in each row: renaming or merging changes one row, and both databases have
    an index for finding tagged rows (SQLite has none into JSON).
    """

    name = models.CharField(_("name"), max_length=40, unique=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class KeptVersion(models.Model):
    """A version of the event store that a final analysis names: its files are kept when they leave the table."""

    class Gone(models.TextChoices):
        RETENTION = "retention", _("the retention period is over")
        ERASURE = "erasure", _("users were erased")
        OTHER_STORE = "other_store", _("the event store is another one")

    version = models.PositiveBigIntegerField(_("version"))  # of one store: another store counts from the beginning
    files = models.JSONField(_("files"))  # `events.store.snapshot.StoreFiles` without its version
    gone = models.CharField(_("why its files are kept no more"), max_length=12, choices=Gone.choices, blank=True)
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    gone_at = models.DateTimeField(_("kept until"), null=True, blank=True)

    class Meta:
        verbose_name = _("kept version of the event store")
        verbose_name_plural = _("kept versions of the event store")
        indexes = [models.Index(fields=["id"], condition=models.Q(gone=""), name="events_kept_versions")]

    def __str__(self) -> str:
        return f"{self.version}"


class MetricQuerySet(models.QuerySet["Metric"]):
    def with_tag(self, tag: str) -> "MetricQuerySet":
        """Those that have the tag; all rows for an empty one."""
        return self.filter(tags__contains=f",{tag},") if tag else self

    def all_tags(self) -> list[str]:
        """All tags in use, without repeats, in order."""
        return sorted({tag for row in self.exclude(tags="").only("tags") for tag in row.tag_list})


class Metric(models.Model):
    """An agreed metric. Its definition is in its versions; people pick the newest one."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        CERTIFIED = "certified", _("certified")
        DEPRECATED = "deprecated", _("deprecated")

    key = models.CharField(_("key"), max_length=64, unique=True)
    name_en = models.CharField(_("name, English"), max_length=80)
    name_ko = models.CharField(_("name, Korean"), max_length=80, blank=True)
    description = models.CharField(_("description"), max_length=1000, blank=True)
    owner = models.CharField(_("owner"), max_length=150, blank=True)  # a team, or a person's account
    # Between commas, with one at each end: searchable as text on every database, one tag as ",tag,".
    tags = models.CharField(_("tags"), max_length=900, blank=True)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT)
    version = models.PositiveIntegerField(_("version"), default=0)  # number of the newest; 0 during creation
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    history = HistoricalRecords()
    objects = MetricQuerySet.as_manager()

    class Meta:
        verbose_name = _("metric")
        verbose_name_plural = _("metrics")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """Its name in the reader's language, or in the other one if missing."""
        korean = (get_language() or "en").split("-")[0] == "ko"
        return (self.name_ko if korean else "") or self.name_en or self.key

    @property
    def tag_list(self) -> list[str]:
        """Its tags in order."""
        return [tag for tag in self.tags.split(",") if tag]

    @property
    def current(self) -> "MetricVersion":
        """The newest version; without a query if versions are prefetched."""
        return next(version for version in self.versions.all() if version.number == self.version)

    @property
    def is_deprecated(self) -> bool:
        """Whether the metric can't be picked any more."""
        return self.status == self.Status.DEPRECATED


class MetricVersion(models.Model):
    """One definition of a metric. Immutable except for its certification."""

    class Direction(models.TextChoices):
        HIGHER = HIGHER, _("higher is better")
        LOWER = LOWER, _("lower is better")

    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, related_name="versions", verbose_name=_("metric"))
    number = models.PositiveIntegerField(_("version"))
    definition = models.TextField(_("definition"))
    cap = models.CharField(_("cap"), max_length=40, blank=True)
    direction = models.CharField(_("which way is better"), max_length=6, choices=Direction, default=Direction.HIGHER)
    margin = models.FloatField(_("margin as a guardrail"), null=True, blank=True)
    hash = models.CharField(_("hash"), max_length=64)
    why = models.CharField(_("reason"), max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    certified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("certified by")
    )
    certified_at = models.DateTimeField(_("certified"), null=True, blank=True)

    class Meta:
        verbose_name = _("version of a metric")
        verbose_name_plural = _("versions of metrics")
        ordering = ["metric", "-number"]
        constraints = [models.UniqueConstraint(fields=["metric", "number"], name="one_version_of_a_metric")]

    def __str__(self) -> str:
        return f"{self.metric.key} {self.number}"

    @property
    def facts(self) -> Facts:
        """The decisive fields of the version."""
        return Facts(self.definition, self.cap, self.direction, self.margin)


class MetricCheck(Run):
    """A check of a metric on its own past: its value week by week, and its rate of false alarms."""

    NAMED_BY = ("version__metric",)

    version = models.ForeignKey(MetricVersion, on_delete=models.CASCADE, related_name="checks", editable=False)
    alarms = models.PositiveIntegerField(_("false alarms"), null=True, blank=True)  # null: not computable
    splits = models.PositiveIntegerField(_("splits"), null=True, blank=True)

    class Meta(Run.Meta):
        verbose_name = _("check of a metric")
        verbose_name_plural = _("checks of metrics")

    def __str__(self) -> str:
        return f"{self.version.metric.title} {self.version.number}"


class CalendarEntry(models.Model):
    """Something that happened outside the site: written down by hand, from a file, or by a program."""

    class Kind(models.TextChoices):
        RELEASE = "release", _("release")
        CAMPAIGN = "campaign", _("campaign")
        EVENT = "event", _("event in the product")
        OUTAGE = "outage", _("outage")
        OTHER = "other", _("something else")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    title = models.CharField(_("title"), max_length=120)
    starts = models.DateField(_("first day"), db_index=True)  # local dates of the site
    ends = models.DateField(_("last day"), null=True, blank=True)  # null: one day
    owner = models.CharField(_("owner"), max_length=150, blank=True)  # a team, or a person's account
    link = models.CharField(_("link"), max_length=500, blank=True)
    note = models.CharField(_("note"), max_length=1000, blank=True)
    reference = models.CharField(_("reference"), max_length=200, blank=True)  # in the system that it comes from
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("calendar entry")
        verbose_name_plural = _("calendar entries")
        ordering = ["-starts", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["reference"], condition=~models.Q(reference=""), name="one_calendar_entry_a_reference"
            )
        ]

    def __str__(self) -> str:
        return self.title
