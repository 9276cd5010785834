"""What a case can reach at most, of each kind with its working, source and confidence; and the theory beside it."""
