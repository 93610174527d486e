"""Stored payloads with a schema number; older ones are upgraded when read.

Payloads outlive the code that wrote them. Those of version 0.3 carry no number and count as number 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from reporting.document import dump, load
from reporting.document import outward as outward_document
from reporting.words import gettext

NUMBER = "schema"
log = structlog.get_logger()
type Document = dict[str, Any]


@dataclass(frozen=True)
class Unreadable:
    """A stored payload that this version can't read. Only its own page is affected.

    Attributes:
        newer: a later version wrote it; otherwise its shape is unknown.
    """

    newer: bool

    def sentence(self) -> str:
        """The sentence shown in place of the result."""
        if self.newer:
            return gettext("A newer version of Insight stored this result, and this version can't read it.")
        return gettext("What is stored of this result can't be read. The log says what is wrong with it.")


@dataclass(frozen=True)
class Schema[T]:
    """How one kind of payload is stored and read.

    Attributes:
        record: the frozen record that is stored today. A new field with a default needs no upgrade step if the default
            is correct for payloads without it.
        upgrades: one step per number; the first turns number 1 into number 2. A step returns a new document.
    """

    record: type[T]
    upgrades: tuple[Callable[[Document], Document], ...] = ()

    @property
    def number(self) -> int:
        """The current schema number."""
        return 1 + len(self.upgrades)

    def store(self, record: T) -> Document:
        """The record as JSON values with its schema number.

        Raises:
            ValueError: for NaN or infinity anywhere inside: a missing number must be a reason.
        """
        return {**self.to_document(record), NUMBER: self.number}

    def to_document(self, record: T) -> Document:
        """The record as JSON values. A schema of several types of records overrides this and `from_document`."""
        return dump(record)

    def from_document(self, document: Document) -> T:
        """The record of a document of the current schema.

        Raises:
            ValueError, LookupError: the document has another shape.
        """
        return load(self.record, document)

    def upgraded(self, document: Any) -> Document | Unreadable:
        """The payload upgraded to the current schema; its values aren't validated."""
        try:
            number = int(document.get(NUMBER, 1))
            if number > self.number:
                return self._unreadable(f"schema {number}", newer=True)
            if number < 1:  # a slice with a negative start would apply the last steps
                return self._unreadable(f"schema {number}")
            for step in self.upgrades[number - 1 :]:
                document = step(document)
        except (ValueError, TypeError, LookupError, AttributeError) as trouble:
            return self._unreadable(repr(trouble))
        return {**document, NUMBER: self.number}

    def read(self, document: Any) -> T | Unreadable:
        """The record of a stored payload, whichever version wrote it."""
        latest = self.upgraded(document)
        if isinstance(latest, Unreadable):
            return latest
        try:
            return self.from_document(latest)
        except (ValueError, LookupError) as trouble:  # pydantic's errors are ValueErrors
            return self._unreadable(str(trouble)[:500])

    def of(self, run: Any) -> T | Unreadable | None:
        """The record of a finished run; None for a run without a result, and for no run."""
        return None if run is None or run.payload is None else self.read(run.payload)

    def outward(self, document: Any) -> Any:
        """The payload as other programs receive it, or ``{"unreadable": sentence}``."""
        record = self.read(document)
        if isinstance(record, Unreadable):
            return {"unreadable": record.sentence()}
        return outward_document(self.to_document(record))

    def _unreadable(self, trouble: str, *, newer: bool = False) -> Unreadable:
        log.warning("payload.unreadable", record=self.record.__qualname__, trouble=trouble)
        return Unreadable(newer)
