# SPDX-License-Identifier: Apache-2.0
"""JSON pointers (RFC 6901): names of places in a JSON document."""

import re


class MissingPlaceError(LookupError):
    """A document has no such place."""


def pointer(*parts: str | int) -> str:
    """Join names and indices to a pointer.

    Example:
        >>> pointer("shifts", 0, "a/b~c")
        '/shifts/0/a~1b~0c'
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def is_pointer(text: str) -> bool:
    """Whether a text points to something within a document."""
    return re.fullmatch(r"(/([^~/]|~[01])*)+", text, flags=re.DOTALL) is not None


def resolve(document: object, place: str) -> object:
    """The value at a pointer.

    Args:
        document: parsed JSON.
        place: a pointer, see :func:`is_pointer`.

    Raises:
        MissingPlaceError: the document has no such place.
    """
    value = document
    for part in place.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,8}", name) and int(name) < len(value):
            value = value[int(name)]
        else:
            raise MissingPlaceError(place)
    return value
