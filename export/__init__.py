# SPDX-License-Identifier: Apache-2.0
"""The offline stage: a trained segmentation checkpoint becomes a bundle that `lsood_runtime` loads."""
