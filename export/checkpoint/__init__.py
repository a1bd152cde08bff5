# SPDX-License-Identifier: Apache-2.0
"""Read a checkpoint and build the network that it was trained as."""
