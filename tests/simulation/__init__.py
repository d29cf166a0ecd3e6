"""The gateway in a simulated world: one process, one seed, and everything that can go wrong."""
