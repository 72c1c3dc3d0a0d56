"""Listings: how many a page of one may hold."""

DEFAULT_LIMIT, LARGEST_LIMIT = 50, 500
