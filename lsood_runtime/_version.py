# SPDX-License-Identifier: Apache-2.0
"""Version of both distributions; pyproject.toml reads it from here."""

__version__ = "0.2.0"
