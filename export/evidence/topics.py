# SPDX-License-Identifier: Apache-2.0
"""The standards whose questions an evidence pack helps to answer, and the topics of them, in this project's own words.

A pack claims no conformity. Numbers are those of clauses in the public tables of contents; ASTM's practice is cited by the
parts of its architecture.
"""

from dataclasses import dataclass

AI, SOTIF, ASSURANCE = "ISO/PAS 8800:2024", "ISO 21448:2022", "ASTM F3269-21"

STANDARDS = {
    AI: "road vehicles, safety and artificial intelligence",
    SOTIF: "road vehicles, safety of the intended functionality (SOTIF)",
    ASSURANCE: "bounding complex functions by run-time assurance",
}
"""What each is about, by its name."""


@dataclass(frozen=True)
class Topic:
    """A topic of a standard: its name there, its clause where that is known, and what it asks, in own words."""

    standard: str
    clause: str
    name: str

    def __str__(self) -> str:
        """For people: standard, clause and name."""
        return f"{self.standard}{f', clause {self.clause}' if self.clause else ''}: {self.name}"


TOPICS = {
    "ai-requirements": Topic(AI, "9", "requirements on the AI system, with measurable properties"),
    "ai-architecture": Topic(AI, "10", "architecture: a monitor beside the network"),
    "ai-data": Topic(AI, "11", "data: origin, independence, completeness"),
    "ai-verification": Topic(AI, "12", "verification and validation of the AI system"),
    "ai-analysis": Topic(AI, "13", "safety analysis: how outputs may be insufficient"),
    "ai-operation": Topic(AI, "14", "measures in operation: watching for shifts in the field"),
    "ai-tools": Topic(AI, "15", "trust in frameworks and tools"),
    "sotif-design": Topic(SOTIF, "5", "specification and design, known insufficiencies"),
    "sotif-triggers": Topic(SOTIF, "7", "functional insufficiencies and triggering conditions"),
    "sotif-measures": Topic(SOTIF, "8", "measures against them, restrictions of use"),
    "sotif-strategy": Topic(SOTIF, "9", "strategy of verification and validation"),
    "sotif-known": Topic(SOTIF, "10", "known unsafe scenarios"),
    "sotif-unknown": Topic(SOTIF, "11", "unknown unsafe scenarios"),
    "sotif-operation": Topic(SOTIF, "13", "activities in operation"),
    "rta-monitor": Topic(ASSURANCE, "", "safety monitor"),
    "rta-inputs": Topic(ASSURANCE, "", "input manager: validity of inputs"),
    "rta-switch": Topic(ASSURANCE, "", "switch: when and how fast control is taken over"),
    "rta-recovery": Topic(ASSURANCE, "", "recovery function"),
    "rta-coverage": Topic(ASSURANCE, "", "coverage: which hazards the monitor sees"),
}
"""By the short name that claims, and files of requirements, use."""
