"""What was measured: cases, samples, records, and their files."""
