"""What finished experiments say of a behaviour: their findings, which of them may be pooled, the price of promises."""
