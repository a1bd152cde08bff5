# SPDX-License-Identifier: Apache-2.0
"""Daily summaries of a vehicle's frames, which add up over days, vehicles and fleets."""
