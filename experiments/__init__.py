"""Whether it is the cause: experiments, their statistics and their verdict."""
