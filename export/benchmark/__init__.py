# SPDX-License-Identifier: Apache-2.0
"""Judge a bundle on whichever published data sets lie in a folder."""
