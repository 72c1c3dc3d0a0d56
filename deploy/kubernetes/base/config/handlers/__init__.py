"""The handlers of this example."""
