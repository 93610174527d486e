"""A refusal is an answer: services and pure code raise it, and the door that was asked words it for the person. Pure."""

from typing import Any

from reporting.words import Message


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """A request that is refused: a sentence with its fields, and the option or field that it is about.

    The sentence is worded when it is shown, in the language of whoever asked; its English text is its code.

    Args:
        text: with fields in braces, or a sentence that is worded already.
        at: the option or field that is wrong, as the command line writes it without its dashes; "" for the whole.
        fields: what stands in the text.
    """

    def __init__(self, text: str, *, at: str = "", **fields: Any) -> None:
        super().__init__(text)
        self.message, self.at = Message(text, fields), at.removeprefix("--")

    @property
    def sentence(self) -> str:
        """The sentence alone, for a form that shows it at its field."""
        return str(self.message)

    def __str__(self) -> str:
        """The sentence after the option that it is about, as a command prints it."""
        return f"--{self.at}: {self.message}" if self.at else str(self.message)
