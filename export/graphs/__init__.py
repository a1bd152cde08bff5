# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs: segmentation with latent samples, detector, evaluation, and the forms they ship in."""
