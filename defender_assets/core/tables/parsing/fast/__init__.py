"""Lines of the plain, documented shape, read many at once by compiled code. Any other line is `records`' business.

Plain is: compact JSON, the documented envelope of this very table and tenant, known columns in their wire types, no key
twice, instants as Microsoft spells them. What is not plainly that is handed back unread, so this room never decides
that a line is bad, and a value that fits no column never passes through it.

No compiled function calls one of another module: what is kept on disk is valid for as long as its own file is as it
was, and nothing looks at the other files.
"""
