# SPDX-License-Identifier: Apache-2.0
"""Files of rows of verdicts, read block by block."""
