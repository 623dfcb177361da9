"""Dagster metadata: what the UI shows for a table before any run, and for each materialization."""
