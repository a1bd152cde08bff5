# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs: segmentation with latent samples, detector, outputs for an evaluation, and the forms a monitor ships in."""
