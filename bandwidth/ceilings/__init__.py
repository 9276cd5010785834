"""What should be reached: the peaks of memory modules, of a GPU's memory and of links, beside each case."""
