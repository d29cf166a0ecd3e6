"""Who is talking and at which number: state machines without I/O; time is an argument."""
