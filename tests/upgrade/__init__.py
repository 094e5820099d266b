"""Tests of what happens to a database when the code changes: kept money, and two releases side by side."""
