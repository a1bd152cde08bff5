# SPDX-License-Identifier: Apache-2.0
"""The anomaly map of a frame: its connected regions, the unknown objects that these are, and pictures of both."""
