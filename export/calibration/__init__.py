# SPDX-License-Identifier: Apache-2.0
"""From in-distribution entropies to a detector and thresholds."""
