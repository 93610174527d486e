"""Learn from earlier users: how much of the outcome covariates explain, and a model that predicts it."""
