"""Why an action is refused."""


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """A request that is refused, with one plain sentence for the person who asked."""
