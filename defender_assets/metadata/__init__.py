"""What the UI shows beside lineage and runs: what is known of a table before any run, and what a run has to tell.

Figures are counted in the core; here they only get names and a form. Where text out of alerts may stand is told in
`reports`.
"""
