# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from image files, videos, recorded drives and cameras."""
