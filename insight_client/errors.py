"""What goes wrong, as the site says it: one class with a code and a sentence, and a closed outcome."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A place of the request that the site refuses: a JSON pointer such as `/inputs/retention`, code and sentence."""

    pointer: str | None
    code: str
    sentence: str


class InsightError(Exception):
    """The site refuses, or can't be reached.

    Attributes:
        code: `invalid`, `refused`, `not_authenticated`, `permission_denied`, `not_found`, `throttled` …; `unreachable`
            when there was no answer, `unreadable` when it wasn't the site's.
        sentence: what a person may read.
        status: of HTTP, 0 without an answer.
        mistakes: where in the request, if the site says so.
        request_id: by which the site's log knows the call.
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
    """The plan doesn't open the outcome yet.

    Attributes:
        sentence: the site's, which says why.
        opens_on: the day on which it is expected to open, ISO, or None when nobody knows.
    """

    def __init__(self, sentence: str, opens_on: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.opens_on = opens_on
