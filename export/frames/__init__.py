# SPDX-License-Identifier: Apache-2.0
"""Camera frames and labels from files, and the drives that they belong to."""
