# SPDX-License-Identifier: Apache-2.0
"""Signals as a terminal leaves them."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def signals_that_stop() -> Iterator[None]:
    """Signals are ignored where the tests themselves run in the background, or under ``nohup``, and children inherit that."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
