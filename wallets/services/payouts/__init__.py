"""Payouts, from a customer's request to the answer of the bank.

Every change of a payout happens under the lock of its customer's wallet, by an UPDATE that names the state before.
"""
