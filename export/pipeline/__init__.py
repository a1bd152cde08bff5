# SPDX-License-Identifier: Apache-2.0
"""The offline stage from end to end, as stages from checkpoint to bundle."""
