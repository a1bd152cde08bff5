# SPDX-License-Identifier: Apache-2.0
"""A reader of protobuf's text format, without the message types: each field's values by its name, in their order."""

import ast
import re
from typing import Any

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z_0-9]*|-?[0-9.]+|[{}\[\]:,])')


def parse_text_format(text: str) -> dict[str, list[Any]]:
    """Parse a message; numbers, strings and names of enumerations are values, messages are dictionaries again."""
    tokens, place = [], 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        assert found is not None, text[place : place + 40]
        tokens.append(found[1])
        place = found.end()
    message = _message(tokens)
    assert tokens == []
    return message


def _message(tokens: list[str]) -> dict[str, list[Any]]:
    fields: dict[str, list[Any]] = {}
    while tokens and tokens[0] != "}":
        values = fields.setdefault(tokens.pop(0), [])
        if tokens[0] == "{":
            values.append(_nested(tokens))
            continue
        assert tokens.pop(0) == ":"
        if tokens[0] != "[":
            values.append(_scalar(tokens.pop(0)))
            continue
        tokens.pop(0)
        while tokens[0] != "]":
            values.append(_scalar(tokens.pop(0)))
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
    return fields


def _nested(tokens: list[str]) -> dict[str, list[Any]]:
    tokens.pop(0)
    message = _message(tokens)
    assert tokens.pop(0) == "}"
    return message


def _scalar(token: str) -> Any:
    if token.startswith('"'):
        return ast.literal_eval("b" + token).decode()
    return token if token[0].isalpha() else ast.literal_eval(token)
