"""From files that people write to the values that the core knows."""
