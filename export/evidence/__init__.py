# SPDX-License-Identifier: Apache-2.0
"""Evidence for a safety case: requirements of a monitor with what supports them, assumptions of use, limits and hazards."""
