"""Event streams of OFREP 0.3.0: a process that holds connections and tells them to ask again (docs/event_streams.md).

It runs by itself (`manage.py event_streams`), since a web process has a thread for each request that it answers.
"""
