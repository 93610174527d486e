"""How quickly the doors of machines answer."""
