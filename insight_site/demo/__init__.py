"""The demo: the whole loop over made-up users with known truth, through the endpoints that real users use."""
