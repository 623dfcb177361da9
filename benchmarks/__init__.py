"""Benchmarks, run by hand or with `make bench`. Their figures are in docs/; nothing here is a test."""
