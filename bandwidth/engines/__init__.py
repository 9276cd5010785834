"""What measures: the contract of an engine, the registry of those that are here, and a folder for each maker."""
