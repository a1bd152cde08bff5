# SPDX-License-Identifier: Apache-2.0
"""Fit what a bundle answers beside the score: expected quality, cause and severity, from features of the one pass."""
