# SPDX-License-Identifier: Apache-2.0
"""Names of the files of an evidence pack."""

PACK, TABLE, INDEX, SUMS = "evidence.json", "evidence.csv", "index.html", "SHA256SUMS"
"""What is written: the claims, the same as a table, the page, and the digests of all other files."""

FIGURES, REPORT = "report/figures.json", "report/index.html"
CERTIFICATE, RESULTS, TEAM = "certificate.json", "results.xml", "requirements.yaml"
"""Copies of what the claims rest on; that of the manifest keeps its own name."""
