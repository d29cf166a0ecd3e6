"""Rows, batches, seals, segments, recovery. Owns the files of the journal and nothing else."""
