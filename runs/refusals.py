"""`Refused`: raised by services and pure code; the page, command or API turns it into a message. Pure."""

import re
from typing import Any

from reporting.words import Message, gettext

OPTIONS = re.compile(r"^--([a-z-]+)(?: and --([a-z-]+))?: ")


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """A refused request: a sentence with its fields, and the option or field that it is about.

    The sentence is translated when it is shown; its English text is its code.

    Args:
        text: with fields in braces; or a message, or a sentence that is translated already.
        at: the wrong option, as the command line writes it, with or without its dashes; two are separated by a blank;
            "" when the request as a whole is refused.
        fields: values for the text.

    Attributes:
        message: the untranslated sentence.
        at: the option without its dashes; each page, command or API maps it to its own field.
    """

    def __init__(self, text: str | Message, /, *, at: str = "", **fields: Any) -> None:
        self.message = Message(text, fields) if isinstance(text, str) else text
        self.at = at.removeprefix("--")
        super().__init__(self.message.text)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Refused":
        """Restore a refusal stored in a row."""
        return cls(Message.from_record(record), at=record["at"])

    def record(self) -> dict[str, Any]:
        """Text, fields and option as JSON, for storing in a row."""
        return {**self.message.record(), "at": self.at}

    @property
    def english(self) -> str:
        """The English sentence, as a command prints it."""
        return self._after_options(self.message.english, "{first} and {second}")

    @property
    def sentence(self) -> str:
        """The sentence without the option, for display beside a form field; capitalised unless a value comes first."""
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
    """Split a refusal stored as commands print it into option (as in `Refused.at`) and sentence."""
    options = OPTIONS.match(reason)
    return (" ".join(filter(None, options.groups())), reason[options.end() :]) if options else ("", reason)
