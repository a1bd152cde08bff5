# SPDX-License-Identifier: Apache-2.0
"""Figures of a fleet: merge daily summaries, find the vehicles and days that differ from the rest, draw a page of them."""
