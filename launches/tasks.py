from launches import readings
from launches.balance import runs
from launches.growth import forecasts


def run_reading(pk: int) -> None:
    """Read the curve of a launch, on request."""
    readings.run_reading(pk)


def run_balance(pk: int) -> None:
    """Play the rules of an event, on request."""
    runs.run_balance(pk)


def run_growth_forecast(pk: int) -> None:
    """Forecast growth, on request."""
    forecasts.run_forecast(pk)
