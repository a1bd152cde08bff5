# SPDX-License-Identifier: Apache-2.0
"""Write values as text: JSON, CSV, and messages in one line."""
