"""Tests of `defender_assets`, laid out as the package is and named after behaviour."""
