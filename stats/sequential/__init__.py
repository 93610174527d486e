"""Looking before the end: intervals that hold at every look, bounds of planned looks, estimates after a stop."""
