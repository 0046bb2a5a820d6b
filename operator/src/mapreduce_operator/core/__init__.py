"""The master's pure core: events in, an Outcome out. No I/O, clock, randomness or logging."""
