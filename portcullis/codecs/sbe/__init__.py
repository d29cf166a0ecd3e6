"""SBE: messages by a schema."""
