"""What the choices of a plan lead to: its calendar, the cost of each choice, and what makes a plan silly. Pure."""
