"""The development data that the seeder writes. It is safe to write the same data again."""
