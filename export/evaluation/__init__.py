# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a bundle on frames of known kinds, and its report."""
