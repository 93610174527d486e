"""Errors: `InsightError` with the code and message of the site, and `Locked` for an outcome that is not open yet."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """An invalid field of the request: a JSON pointer such as `/inputs/retention`, code and message."""

    pointer: str | None
    code: str
    sentence: str


class InsightError(Exception):
    """The site returned an error, or can't be reached.

    Attributes:
        code: `invalid`, `refused`, `not_authenticated`, `permission_denied`, `not_found`, `throttled` …; `unreachable`
            if there was no response, `unreadable` if the response was not one of the site.
        sentence: human-readable message.
        status: HTTP status, 0 without a response.
        mistakes: invalid fields of the request, if the site reports them.
        request_id: id of the request in the site's logs.
    """

    def __init__(
        self, code: str, sentence: str, *, status: int = 0, mistakes: tuple[Mistake, ...] = (), request_id: str = ""
    ) -> None:
        super().__init__(f"{sentence} ({code})")
        self.code = code
        self.sentence = sentence
        self.status = status
        self.mistakes = mistakes
        self.request_id = request_id


class Locked(Exception):  # noqa: N818  # not an error: the plan asks everybody to wait
    """The plan keeps the outcome locked for now.

    Attributes:
        sentence: the reason, as the site states it.
        opens_on: expected opening date (ISO 8601), or None if unknown.
    """

    def __init__(self, sentence: str, opens_on: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.opens_on = opens_on
