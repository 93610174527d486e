from launches import readings


def run_reading(pk: int) -> None:
    """Read the curve of a launch, on request."""
    readings.run_reading(pk)
