"""Reads statements of a bank account from files, in bounded memory. No database, no network."""
