# SPDX-License-Identifier: Apache-2.0
"""A calibrated monitor in fewer bits, and the gate that it has to pass."""
