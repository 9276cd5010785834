"""From options and facts to a plan: which cases run, with what, on which CPUs and how much data."""
