# SPDX-License-Identifier: Apache-2.0
"""Layers of a network: DropBlock, dropouts and their randomness, preprocessing."""
