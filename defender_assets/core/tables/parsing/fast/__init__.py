"""The fast path: compiled code that parses many lines in the usual form at once.

The usual form is: compact JSON, the documented envelope of this table and tenant, known columns in their wire types, no
duplicate key, timestamps as Microsoft writes them. Any other line is returned unread, so this package never decides
that a line is bad.

A compiled function must not call one of another module, because numba only checks whether its own file has changed.
"""
