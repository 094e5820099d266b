"""The main job, start to finish, before your eyes: customers buy coins, and the books balance.

Against the stack that is running, or one started for the occasion. The customers act over HTTP; the table at the end
reads settlement's figures from the database.
"""
