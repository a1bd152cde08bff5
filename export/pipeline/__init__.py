# SPDX-License-Identifier: Apache-2.0
"""Export a monitor: one module for each stage from checkpoint to bundle."""
