"""FIX tag=value: framing, scanning, validation by a dictionary, field values, writing."""
