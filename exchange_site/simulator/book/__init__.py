"""The venue's book in SQLite. An accepted order is on disk before the request is answered."""
