"""The figures of write-ups: what they show, and how they are drawn."""
