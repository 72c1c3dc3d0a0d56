"""One attempt: a request out, an outcome back."""
