# SPDX-License-Identifier: Apache-2.0
"""Camera frames from files, and the drives that they belong to."""
