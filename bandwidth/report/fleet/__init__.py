"""A fleet as text, as data and as a page."""
