# SPDX-License-Identifier: Apache-2.0
"""Score frames of known kinds, measure what is told apart, and report it."""
