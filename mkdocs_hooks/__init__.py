# SPDX-License-Identifier: Apache-2.0
"""Steps of `make docs` that MkDocs does not have: the command line reference, diagrams as SVG, checks of the built site."""
