"""Where events and deliveries are kept: one contract, an engine per folder."""
