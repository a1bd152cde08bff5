# SPDX-License-Identifier: Apache-2.0
"""Compare the size that an image states with the calibrated one, before it is decoded."""

from lsood_runtime._exceptions import FrameError


def check_size(wanted: tuple[int, int] | None, stated: tuple[int, int]) -> None:
    """Refuse an image of another size than the wanted one.

    Args:
        wanted: rows and columns; None for any.
        stated: rows and columns of the image.

    Raises:
        FrameError: they differ.
    """
    if wanted is not None and tuple(wanted) != stated:
        raise FrameError(
            f"expected an image of {wanted[1]}x{wanted[0]} pixels, got {stated[1]}x{stated[0]}: pass images of the camera "
            "that was calibrated"
        )
