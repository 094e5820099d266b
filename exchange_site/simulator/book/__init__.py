"""The venue's book in SQLite: an order that was accepted is on disk before anybody hears of it."""
