"""Event streams of OFREP 0.3.0: a process that notifies connected clients of changes (docs/event_streams.md).

It is a separate process (`manage.py event_streams`), since a web process needs a thread per open request.
"""
