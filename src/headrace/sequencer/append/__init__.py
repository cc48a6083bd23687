"""One group on its way into the log.

Which entries go into it, which timestamps and segments they get, and what became of the message.
"""
