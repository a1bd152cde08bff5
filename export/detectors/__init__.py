# SPDX-License-Identifier: Apache-2.0
"""Entropies of latent samples, and the detectors that turn them into a score."""
