# SPDX-License-Identifier: Apache-2.0
"""How many examples are drawn of properties whose examples take long: a quarter in `make test`, all beside the slow tests."""

from hypothesis import settings

QUICK = "quick"


def register_profiles() -> None:
    """Make the profiles of the tests known: ``project``, which is loaded, and ``quick``, which `make test` asks for."""
    settings.register_profile("project", deadline=None)  # a slow machine fails no test
    settings.register_profile(QUICK, settings.get_profile("project"))
    settings.load_profile("project")


def examples(count: int) -> int:
    """``count``, of which the profile ``quick`` draws a quarter."""
    return max(1, count // 4) if settings.get_current_profile_name() == QUICK else count
