"""Dagster metadata of tables and materializations, for the UI. No counting: the core reports the figures."""
