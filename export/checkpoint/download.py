# SPDX-License-Identifier: Apache-2.0
"""Keep constructors from downloading weights that the checkpoint replaces anyway."""

import enum
import inspect
import socket
import urllib.error
from collections.abc import Callable, Collection, Mapping

DOWNLOADS: Mapping[str, object] = {
    "weights": None,
    "weights_backbone": None,
    "encoder_weights": None,
    "pretrained": False,
    "pretrained_backbone": False,
}
"""Arguments by which libraries for vision download weights, and the value under which they do not."""

_NETWORK = (urllib.error.URLError, socket.gaierror, ConnectionError, TimeoutError)
_CLIENTS = ("urllib3", "requests", "httpx", "httpcore", "huggingface_hub")


def without_downloads(
    target: Callable[..., object], arguments: Mapping[str, object], given: Collection[str] = ()
) -> dict[str, object]:
    """The arguments that switch a constructor's downloads off, of those that it has.

    Args:
        target: class or factory function.
        arguments: that it will be called with.
        given: names of those that the user gave, which are left as they are.

    Returns:
        By name, those of :data:`DOWNLOADS` whose value, or default, asks for a download.
    """
    parameters = inspect.signature(target).parameters
    return {
        name: off
        for name, off in DOWNLOADS.items()
        if name in parameters and name not in given and _asks(arguments.get(name, parameters[name].default))
    }


def _asks(value: object) -> bool:
    """Whether a value asks for weights: True, their name, or their entry in an enumeration."""
    return value is True or isinstance(value, enum.Enum) or (isinstance(value, str) and bool(value))


def download_error(error: BaseException | None) -> BaseException | None:
    """The error of a network connection from which an error came; None where it came from something else."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, _NETWORK) or type(error).__module__.partition(".")[0] in _CLIENTS:
            return error
        error = error.__cause__ or error.__context__
    return None
