# SPDX-License-Identifier: Apache-2.0
"""Layers of a network: DropBlock, Gaussian dropout, preprocessing, and which layers are stochastic."""
