"""Faults on purpose: a kit that tears, cuts, refuses and kills, and the truth that must come out all the same."""
