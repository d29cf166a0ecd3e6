"""The server: listeners, translation between wire and rows both ways, output, configuration."""
