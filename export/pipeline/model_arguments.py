# SPDX-License-Identifier: Apache-2.0
"""Read and write constructor arguments of a network as a user types them: ``key=value``, the value in YAML."""

import json
import math
from collections.abc import Mapping, Sequence

import yaml

from export.errors import UsageError
from export.strict_yaml import load_yaml


def read_model_arguments(words: Sequence[str]) -> dict[str, object]:
    """Read ``depth=3`` and ``sizes=[1, 2]``; of a key that comes twice the last one counts.

    Raises:
        UsageError: a word without ``=``, a key that is no Python name, or a value that JSON cannot hold, since the manifest
            keeps it.
    """
    arguments: dict[str, object] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not (key.isidentifier() and equals):
            raise UsageError(f"expected KEY=VALUE for --model-arg, got {word!r}: write --model-arg depth=3")
        try:
            value = load_yaml(text)
            json.dumps(value, allow_nan=False)
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise UsageError(
                f"expected a number, string, list or mapping for --model-arg {key}, got {text!r}: quote a string"
            ) from error
        arguments[key] = value
    return arguments


def write_model_arguments(arguments: Mapping[str, object]) -> list[str]:
    """The words from which :func:`read_model_arguments` reads these arguments.

    Raises:
        UsageError: a value that is no number, string, list or mapping.
    """
    words = []
    for key, value in arguments.items():
        try:
            json.dumps(value, allow_nan=False)
            text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf)
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise UsageError(
                f"expected numbers, strings, lists or mappings for --model-arg, got {value!r} as {key}: write it as one"
            ) from error
        value_text = text.removesuffix("\n").removesuffix("\n...")
        words.append(f"{key}={value_text}")
    return words
