# SPDX-License-Identifier: Apache-2.0
"""Latency of every frame: `make bench`."""
