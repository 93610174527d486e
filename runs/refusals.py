"""`Refused`: services and pure code raise it; the page, command or API that was asked words it for the person. Pure."""

import re
from typing import Any

from reporting.words import Message, gettext

OPTIONS = re.compile(r"^--([a-z-]+)(?: and --([a-z-]+))?: ")


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """A request that is refused: a sentence with its fields, and the option or field that it is about.

    The sentence is worded when it is shown, in the language of whoever asked; its English text is its code.

    Args:
        text: with fields in braces; or a message, or a sentence that is worded already.
        at: the option that is wrong, as the command line writes it, with or without its dashes; two have a blank
            between them; "" when the request as a whole is refused.
        fields: what stands in the text.

    Attributes:
        message: the sentence before it is worded.
        at: the option without its dashes; each door knows its own field of it.
    """

    def __init__(self, text: str | Message, /, *, at: str = "", **fields: Any) -> None:
        self.message = Message(text, fields) if isinstance(text, str) else text
        self.at = at.removeprefix("--")
        super().__init__(self.message.text)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Refused":
        """A refusal that a row has kept."""
        return cls(Message.from_record(record), at=record["at"])

    def record(self) -> dict[str, Any]:
        """Text, fields and option, as a row keeps them."""
        return {**self.message.record(), "at": self.at}

    @property
    def english(self) -> str:
        """As a command prints it in English."""
        return self._after_options(self.message.english, "{first} and {second}")

    @property
    def sentence(self) -> str:
        """The sentence alone, for a page that shows it at its field; it begins with a capital unless a field does."""
        worded = str(self.message)
        return worded[:1].upper() + worded[1:] if self.message.text[:1].islower() else worded

    def __str__(self) -> str:
        """The sentence after the option that it is about, as a command prints it."""
        return self._after_options(str(self.message), gettext("{first} and {second}"))

    def _after_options(self, sentence: str, both: str) -> str:
        options = [f"--{name}" for name in self.at.split()]
        if len(options) > 1:
            options = [both.format(first=options[0], second=options[1])]
        return f"{options[0]}: {sentence}" if options else sentence


def split_reason(reason: str) -> tuple[str, str]:
    """The option (as `Refused.at` has it) and the sentence of a refusal that a run keeps as a command prints it."""
    found = OPTIONS.match(reason)
    return (" ".join(filter(None, found.groups())), reason[found.end() :]) if found else ("", reason)
