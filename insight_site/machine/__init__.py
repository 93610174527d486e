"""The machine endpoints ("doors") that services call all day, without the middlewares for pages.

One table (`doors`), one dispatcher (`dispatch`), and one WSGI front before Django's own (`application`). The
middlewares for pages would halve their throughput.
"""

__all__ = ["dispatch", "stream_server"]
