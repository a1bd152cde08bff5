# SPDX-License-Identifier: Apache-2.0
"""Follow cameras over time: policies, alarms, drift."""
