"""Convert frozen records to JSON and back: for storing a result with its run, and for other programs.

In storage, a missing number keeps its reason as a code, so that a page can show it in the reader's language. For other
programs (command line, REST) it is ``{"not_computable": "reason in words"}``.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from reporting.words import reason_words
from stats.results import NotComputable, Reason

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NOT_COMPUTABLE_KEYS = {"reason", "details"}


@cache
def _adapter(kind: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def dump(record: Any) -> dict[str, Any]:
    """A frozen dataclass as JSON values.

    Raises:
        ValueError: for NaN or infinity anywhere inside: a missing number must be a reason.
    """
    found: dict[str, Any] = _adapter(type(record)).dump_python(record, mode="json")  # type: ignore[arg-type]
    _refuse_nan(found, type(record).__name__)
    return found


def load[T](kind: type[T], document: Any) -> T:
    """The record that `dump` wrote.

    Raises:
        pydantic.ValidationError: when the document has another shape.
    """
    found: T = _adapter(kind).validate_python(document)  # type: ignore[arg-type]
    return found


def outward(document: Any) -> Any:
    """The document as other programs receive it: each missing number with its reason in words.

    Missing numbers may stand in it as `dump` wrote them or as records.
    """
    if isinstance(document, NotComputable):
        return {"not_computable": reason_words(document)}
    if isinstance(document, dict):
        if document.keys() == NOT_COMPUTABLE_KEYS:
            return outward(NotComputable(Reason(document["reason"]), document["details"]))
        return {name: outward(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [outward(value) for value in document]
    return document


def chosen(record: Any, *names: str) -> Any:
    """Some fields of a record, by name; None and not computable numbers stay as they are."""
    if record is None or isinstance(record, NotComputable):
        return record
    return {name: getattr(record, name) for name in names}


def _refuse_nan(value: Any, path: str) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nan(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _refuse_nan(inner, f"{path}[{place}]")
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError(f"{path} is {value}; a missing number must be a reason")
