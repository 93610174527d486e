"""Descriptive fields of a metric, apart from its definition: names, description, owner, tags, unit. Pure."""

from dataclasses import dataclass, field

from reporting.words import say
from runs.refusals import Refused

MOST_TAGS, LONGEST_TAG = 20, 40
# Maximum length of each field, as in its column.
LONGEST = {"name_en": 80, "name_ko": 80, "description": 1000, "owner": 150, "unit": 40}


@dataclass(frozen=True)
class About:
    """Descriptive fields: they don't affect results, so changing them makes no new version.

    Attributes:
        name_en, name_ko: display names; the Korean one may be empty.
        description: what it is for, and what it isn't.
        owner: a team, or a person's account.
        tags: each once, in order.
        unit: of the number, such as KRW; empty for a share or a plain number.
    """

    name_en: str
    name_ko: str = ""
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = field(default=())
    unit: str = ""


def checked_about(about: About) -> About:
    """The fields with surrounding blanks removed, and tags without repeats in order.

    Raises:
        Refused: `at` names the field.
    """
    texts = {name: getattr(about, name).strip() for name in LONGEST}
    for name, text in texts.items():
        if len(text) > LONGEST[name]:
            raise Refused("It has {n} characters; at most {most} are kept.", n=len(text), most=LONGEST[name], at=name)
        if "\x00" in text:
            raise Refused("It holds a character that no text has.", at=name)
    if not texts["name_en"]:
        raise Refused("A metric needs a name in English.", at="name_en")
    return About(**texts, tags=checked_tags(about.tags))


def checked_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Tags in lower case, without repeats, in order.

    Raises:
        Refused: too many, too long, or with a comma inside.
    """
    found = tuple(sorted({tag.strip().casefold() for tag in tags if tag.strip()}))
    wrong = next((tag for tag in found if len(tag) > LONGEST_TAG or "," in tag or "\x00" in tag), None)
    if wrong is not None:
        why = say("A tag has at most {most} characters and no comma, not '{tag}'.", most=LONGEST_TAG, tag=wrong[:60])
        raise Refused(why, at="tags")
    if len(found) > MOST_TAGS:
        raise Refused("A metric has at most {most} tags.", most=MOST_TAGS, at="tags")
    return found
