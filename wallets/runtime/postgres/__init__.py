"""Django's backend for PostgreSQL, whose connections are closed as soon as they are of no more use.

base         DatabaseWrapper, which Django finds by this package's name in DATABASES
connections  the connections themselves, also those of Procrastinate
"""
