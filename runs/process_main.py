"""Child process of `runs.processes`: reads calls from stdin, writes results, and exits when stdin closes."""

import os
import pickle
import resource
import sys
import time


def main() -> None:
    """Answer calls until the parent closes the pipe or has died."""
    calls = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # keep output that libraries print out of the stream of results
    while True:
        try:
            function, args, options = pickle.load(calls)  # noqa: S301 - our own parent wrote it
        except EOFError:
            return
        result, trouble, begun = None, None, time.process_time()
        try:
            result = function(*args, **options)
        except Exception as error:
            trouble = error
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
        try:
            answers.write(_packed(result, trouble, (peak, time.process_time() - begun)))
            answers.flush()
        except BrokenPipeError:
            return


def _packed(result: object, trouble: Exception | None, spent: tuple[float, float]) -> bytes:
    try:
        return pickle.dumps((result, trouble, spent), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps((None, RuntimeError(f"{trouble or error!r}"), spent))


if __name__ == "__main__":
    main()
