"""For whom the effect holds and whom to nudge: extrapolation from compliers to everybody, and rules on known traits."""
