# SPDX-License-Identifier: Apache-2.0
"""Choose which frames of a fleet to send home and label: relevant ones that differ from each other."""
