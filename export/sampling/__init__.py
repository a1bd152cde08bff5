# SPDX-License-Identifier: Apache-2.0
"""Monte-Carlo samples of a tap in one pass: taps, mask bank, plan, and the rewritten graph."""
