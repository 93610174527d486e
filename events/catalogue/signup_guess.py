"""Guess which event begins a user's life; a person can correct it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

EVERY_EVENT = "*"
# Common names of a signup event: snake_case, "Signed Up", camelCase and Korean are compared by letters only.
NAMES = re.compile(
    r"^(user|account|app|member)?(signup|signedup|signupcompleted?|completedsignup|register(ed)?|registration(completed?)?"
    r"|completeregistration|accountcreated|createaccount|created|usercreated|firstopen|install(ed)?|join(ed)?"
    r"|회원가입(완료)?|가입(완료)?|신규가입|계정생성)$"
)
LEAST_USERS = 0.3  # of all users: the name alone doesn't make a rare event the signup
LEAST_SCORE = 0.6


@dataclass(frozen=True)
class NameFacts:
    """Counts of one event name: users who did it, did it exactly once, and began with it."""

    name: str
    users: int
    once: int
    begins: int


def guess_signup(names: Sequence[NameFacts]) -> str:
    """The event that most users do first and only once, preferring names common for signups; or "*".

    "*" stands for each user's first event of any kind: right if no event marks a beginning.
    """
    largest = max((facts.users for facts in names), default=0)
    called = [facts for facts in names if NAMES.match(_letters(facts.name)) and facts.users >= LEAST_USERS * largest]
    if called:
        return max(called, key=lambda facts: facts.users).name
    scored = [(facts.begins / facts.users * facts.once / facts.users, facts) for facts in names if facts.users]
    fitting = [(score, facts) for score, facts in scored if score >= LEAST_SCORE and facts.users >= 0.5 * largest]
    if not fitting:
        return EVERY_EVENT
    return max(fitting, key=lambda pair: (pair[0], pair[1].users))[1].name


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
