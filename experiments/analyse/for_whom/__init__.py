"""For whom the effect holds, and whom to nudge: from those who were moved to everybody, and rules on known traits."""
