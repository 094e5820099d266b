"""The two roles in Postgres: the owner migrates, and the application's role may do no more than the code needs."""
