"""OUCH 4.2: messages of order entry, read in and written out."""
