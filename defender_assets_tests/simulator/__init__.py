"""Tests of the simulator: its export looks like Microsoft's, and its ground truth is correct."""
