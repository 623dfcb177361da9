"""The brief: a day's leads and stories as one HTML page that an analyst reads in the morning.

It is one page for all tenants. The page is self-contained: it runs no script and loads no address.
"""
