"""The command line: one module a command that parses, calls and renders. It does no arithmetic."""
