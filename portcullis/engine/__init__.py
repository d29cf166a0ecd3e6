"""Order book, matcher, session numbers: state that is a function of the journal. Knows no FIX."""
