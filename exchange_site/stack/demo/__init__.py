"""The demo shows the main job from start to finish: customers buy coins, and the ledger balances.

It uses the running stack, or starts one for itself. The customers act over HTTP; the table at the end shows
settlement's figures from the database.
"""
