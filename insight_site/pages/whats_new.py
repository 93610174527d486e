"""What is new in this version, in the words of people who use the pages. The whole list of changes is CHANGELOG.md."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

VERSION = "0.5"
SEEN = f"whats-new-{VERSION}"  # kept with the tours that a person has dismissed


@dataclass(frozen=True)
class News:
    """One novelty: a heading, one or two sentences, and the page where it is ("" for none)."""

    title: Any
    text: Any
    route: str = ""

    @property
    def url(self) -> str:
        """The address of its page; "" without one."""
        return reverse(self.route) if self.route else ""


NEWS = (
    News(
        gettext_lazy("Your first page"),
        gettext_lazy(
            "It shows what waits for you: reviews, alarms, new results, and plans that can't start yet. Below stands "
            "what changed in the last 7 days."
        ),
        "home",
    ),
    News(
        gettext_lazy("Everything by keyboard"),
        gettext_lazy(
            "Press ⌘K, Ctrl+K or / on any page. Go to a page, begin something new, or find an event, an experiment or "
            "a term."
        ),
        "upkeep:search",
    ),
    News(
        gettext_lazy("Calendar of tests"),
        gettext_lazy("It shows all experiments by week, with the users they need, and where two meet the same users."),
        "experiments:calendar",
    ),
    News(
        gettext_lazy("What can we decide in six weeks?"),
        gettext_lazy(
            "For each moment and metric: the smallest effect that today's new users decide, beside the effect that "
            "the evidence expects."
        ),
        "experiments:six_weeks",
    ),
    News(
        gettext_lazy("Saved views and boards"),
        gettext_lazy("Save a chart of Explore, put it on a board of yours or the team's, and pin the board to home."),
        "boards:list",
    ),
    News(
        gettext_lazy("Enrolment ends, then the result comes"),
        gettext_lazy(
            "The planned end of an experiment is the last day of enrolment. The day of the result stands beside it."
        ),
        "experiments:list",
    ),
    News(
        gettext_lazy("Plans on old logs"),
        gettext_lazy(
            "Without new users a plan takes its base rate from the study. You say how many users a day you expect."
        ),
        "experiments:list",
    ),
    News(
        gettext_lazy("Preview and memo"),
        gettext_lazy(
            "Before the start a preview shows what each verdict would mean. After the verdict a memo on one page is "
            "ready to sign."
        ),
        "experiments:list",
    ),
)


def has_news(request: HttpRequest, dismissed: frozenset[str]) -> bool:
    """Whether this person hasn't opened the page of this version yet; nobody without an account is told."""
    return request.user.is_authenticated and SEEN not in dismissed
