"""The devices of an alert: which ones it names, their resolved identifiers, and their state at the alert."""
