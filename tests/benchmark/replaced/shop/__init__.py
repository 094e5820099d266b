"""A stand-in for the system that this project replaces: its order and its wallet, in plain Django REST framework."""
