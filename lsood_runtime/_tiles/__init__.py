# SPDX-License-Identifier: Apache-2.0
"""A picture in tiles: the grid, the words for a region of it, and the check of the raw frame tile by tile."""
