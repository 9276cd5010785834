"""Views of records that are arithmetic: curves, plateaus, matrices, pairs and groups of results."""
