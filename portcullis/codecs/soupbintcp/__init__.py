"""SoupBinTCP: packets found in a buffer, and those that a session sends on its own."""
