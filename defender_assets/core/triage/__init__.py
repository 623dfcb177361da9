"""Triage: what analysts say of leads, the current states, and the measured precision. Builds no partition."""
