# SPDX-License-Identifier: Apache-2.0
"""Fit a detector and thresholds to in-distribution entropies."""
