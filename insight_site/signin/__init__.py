"""Sign people in: password, second factor, providers, a trusted header; throttle guesses, and record each sign-in."""

__all__ = ["accounts", "adapters", "api", "session_life", "sign_in_record", "trusted_header", "views"]
