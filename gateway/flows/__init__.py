"""What the gateway does, one file per thing; neither SQL nor an HTTP library."""
