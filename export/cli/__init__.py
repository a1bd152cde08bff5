# SPDX-License-Identifier: Apache-2.0
"""Subcommands of ``python -m export``, one module each with a ``main``."""
