"""Records beside each other and beside published figures, as documents."""
