"""What is in a machine, as a document: every fact with its source, and its GPUs."""
