"""Make keys from names in any script."""

from anyascii import anyascii
from django.utils.text import slugify


def key_from(name: str, otherwise: str) -> str:
    """Lower-case Latin letters, digits and hyphens: Hangul is romanised, since a frozen key is read for years.

    Args:
        name: as a person typed it.
        otherwise: the key of a name without letters and digits.
    """
    return slugify(anyascii(name)) or otherwise
