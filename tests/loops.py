"""Event loops for tests. A browser's fixture keeps one running in the thread of the tests, so others need their own."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def in_a_loop[T](main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `main()` returns, run to its end in a thread and loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(main())).result()
