"""The device of an alert: which one it is, what it is called today, and how it was at the time."""
