# SPDX-License-Identifier: Apache-2.0
"""Run a bundle's graphs on frames."""
