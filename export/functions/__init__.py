# SPDX-License-Identifier: Apache-2.0
"""What the commands of ``python -m export`` do, as functions whose keyword arguments have the names of the flags."""
