"""How the columns of a file become events: the options of an import, checked."""

from dataclasses import dataclass

from events.windows import Clock, DayMode
from runs.refusals import Refused


@dataclass(frozen=True)
class ImportOptions:
    """How the columns of a file become events.

    Attributes:
        user: column of the user id.
        time: column of the time.
        event: column of the event's name, or None with `event_name`.
        event_name: the name of all events of a file that holds one kind only.
        properties: columns that become properties; one column that holds JSON objects is taken as it is.
        message_id: column of an id that is unique per event; None makes ids from the content.
        time_format: ``iso``, ``unix_s``, ``unix_ms`` or a strptime pattern.
        time_zone: zone of times that carry none.
        separator: see `import_sources.open_source`.
        columns: names of the columns of files without a header line.
        max_bad: how many bad rows are left out before the import is refused.
    """

    user: str
    time: str
    event: str | None = None
    event_name: str | None = None
    properties: tuple[str, ...] = ()
    message_id: str | None = None
    time_format: str = "iso"
    time_zone: str = "UTC"
    separator: str | None = None
    columns: tuple[str, ...] | None = None
    max_bad: int = 0

    def __post_init__(self) -> None:
        if (self.event is None) == (self.event_name is None):
            raise Refused("Give either --event (a column) or --event-name (one name for all rows).")
        if self.max_bad < 0:
            raise Refused("--max-bad is 0 or more, not {given}.", given=self.max_bad)
        if self.time_format not in ("iso", "unix_s", "unix_ms") and "%" not in self.time_format:
            raise Refused(
                "--time-format is iso, unix_s, unix_ms or a pattern such as %Y%m%d, not '{given}'.",
                given=self.time_format,
            )
        Clock(DayMode.CALENDAR, self.time_zone)  # refuses a zone that doesn't exist
