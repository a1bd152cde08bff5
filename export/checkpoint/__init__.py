# SPDX-License-Identifier: Apache-2.0
"""Read a checkpoint and build its network."""
