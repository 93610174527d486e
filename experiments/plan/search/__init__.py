"""Search the fastest test: designs that test one behaviour, with the days that each needs."""
