"""The queue: a day's leads in the order in which to look at them, with the reasons. No I/O."""
