"""The servers that the flows run against: how each is installed, started, and asked."""
