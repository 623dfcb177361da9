"""The functional core: bytes, frames and Delta tables. Nothing in this folder imports Dagster."""
