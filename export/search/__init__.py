# SPDX-License-Identifier: Apache-2.0
"""Compare layers, numbers of samples and detectors in one pass over the frames."""
