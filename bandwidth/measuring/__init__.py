"""From options and a machine to cases, from cases to samples, from samples to a record."""
