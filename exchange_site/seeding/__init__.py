"""The development data, as the seeder writes it. Everything is safe to write again."""
