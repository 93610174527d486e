"""What earlier users say of those to come: how much of the outcome covariates explain, and a model that predicts it."""
