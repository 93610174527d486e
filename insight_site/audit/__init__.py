"""The log of what people, keys and operators changed: who, what, before, after, when, from where.

It is written in one place (`recording`), by signals of every model except those that machines write (`watched`),
within the transaction of the change. A middleware (`around_calls`) logs what signals miss: unsafe calls that left no
entry, and each download of users' names.
"""
