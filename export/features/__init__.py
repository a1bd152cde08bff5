# SPDX-License-Identifier: Apache-2.0
"""Features of a frame: the numbers that one pass gives and that detectors read, each under a typed key."""
