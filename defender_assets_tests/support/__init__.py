"""Helpers of the tests. No test is in here."""
