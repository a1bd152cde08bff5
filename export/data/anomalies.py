# SPDX-License-Identifier: Apache-2.0
"""The degradations of :mod:`export.anomalies`, under the path that earlier documentation named."""

from export.anomalies import ANOMALIES, SEVERITIES, degrade, overlays

__all__ = ["ANOMALIES", "SEVERITIES", "degrade", "overlays"]
