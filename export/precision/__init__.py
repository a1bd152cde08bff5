# SPDX-License-Identifier: Apache-2.0
"""Convert a calibrated monitor to fewer bits and check it against float32."""
