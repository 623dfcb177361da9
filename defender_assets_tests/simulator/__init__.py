"""Tests of the simulator: what it writes looks like Microsoft's export, and the truth it tells is true."""
