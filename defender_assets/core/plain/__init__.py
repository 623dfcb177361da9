"""Lines of the plain, documented shape, read many at once by compiled code. Any other line is `records`' business.

Plain is: compact JSON, the documented envelope of this very table and tenant, known columns in their wire types, no key
twice, instants as Microsoft spells them. What is not plainly that is handed back unread, so this room never decides
that a line is bad, and a value that fits no column never passes through it.
"""
