"""A write-up: its content, and its forms as HTML, Markdown and LaTeX."""
