"""Middleware of our own, in the order of settings.MIDDLEWARE.

requests   RequestRecord, OptionalTrailingSlash, InternalPaths, RateLimitHeaders
problems   ProblemAnswers
pages      ContentPolicy, Sessions, Authentication, Messages: Django's own, skipped for the API (PagesOnly)
"""
