"""What the UI shows beside lineage and runs: what is known of a table before any run, and what a run has to tell.

Figures are counted in the core; here they only get names and a form. Text that came out of alerts is shown in table
cells only, which the UI renders as plain text.
"""
