# SPDX-License-Identifier: Apache-2.0
"""Check the names of cameras that a caller gives."""

from collections.abc import Iterable

from lsood_runtime._arguments import check_text, shown


def check_camera(camera: object) -> None:
    """Refuse what is no name of a camera.

    Raises:
        TypeError: no text.
    """
    check_text(camera, "the name of a camera", "leave it out where there is one camera")


def camera_names(cameras: Iterable[str]) -> list[str]:
    """Names of several cameras.

    Raises:
        TypeError: one text, nothing that names follow from, or names that are no text.
    """
    if isinstance(cameras, str):
        raise TypeError(f"expected names of cameras in a list, got the text {cameras!r}: pass [{cameras!r}]")
    if not hasattr(cameras, "__iter__"):
        raise TypeError(f"expected names of cameras in a list, got {shown(cameras)}: pass [] for none")
    names = list(cameras)
    for name in names:
        check_camera(name)
    return names
