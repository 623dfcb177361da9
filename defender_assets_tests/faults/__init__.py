"""Fault injection: torn lines, cut and refused requests, killed runs; each test must still end with the truth."""
