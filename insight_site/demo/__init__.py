"""The demo: the whole loop over made-up users with known truth, through the doors that real users use."""
