"""Does a number that is watched week by week still behave as it did?"""
