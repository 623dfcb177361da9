"""Accounts of a day: does everything add up, and is anything amiss at the source. Facts and sentences, no Dagster."""
