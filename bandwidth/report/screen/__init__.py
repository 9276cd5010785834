"""The default screen of `measure`: the answer, why not more, one table by role, how good it is, and what to do next."""
