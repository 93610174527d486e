"""The log of what people, keys and operators changed: who, what, before, after, when, from where.

It is written in one place (`recording`), by signals of every model that isn't named as written by machines (`watched`),
within the transaction of the change. What no signal sees is written around each call (`around_calls`): one that may
change something and left no record, and each download of names.
"""
