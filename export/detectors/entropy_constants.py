# SPDX-License-Identifier: Apache-2.0
"""Constants of the entropy estimate, in a module that imports nothing: options and ``--help`` name them."""

DEFAULT_NEIGHBORS = 5
"""k, as in the guide."""

MIN_DIST = 1e-5
"""Distances between samples below it count as it, so that equal samples have a logarithm."""
