# SPDX-License-Identifier: Apache-2.0
"""Write a bundle: golden frames, parity gate, model card, manifest."""
