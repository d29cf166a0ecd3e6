"""MoldUDP64: packets of a sequenced stream."""
