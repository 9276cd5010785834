"""Every way to look at the results of a record, one file each."""
