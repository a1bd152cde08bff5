# SPDX-License-Identifier: Apache-2.0
"""Certify a provider: what it decides, computes and costs beside the CPU provider, as one document."""
