# SPDX-License-Identifier: Apache-2.0
"""Hyper-parameters in the plain types in which the other stages look for sizes and constants."""

import argparse
from collections.abc import Mapping
from typing import Any


def plain_values(hyper_parameters: object) -> dict[str, Any]:
    """Give hyper-parameters by name, OmegaConf's containers and Namespaces as dicts and lists, other values as they are."""
    plain = _plain(hyper_parameters)
    return {str(name): value for name, value in plain.items()} if isinstance(plain, Mapping) else {}


def _plain(value: object) -> object:
    if type(value).__module__.startswith("omegaconf."):
        return _from_omegaconf(value)
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _from_omegaconf(value: Any) -> object:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return OmegaConf.to_container(value, resolve=True)
    except OmegaConfBaseException:  # a reference to what only the training had, as an environment variable
        return OmegaConf.to_container(value, resolve=False)
