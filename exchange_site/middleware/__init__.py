"""Our own middleware, by module. settings.MIDDLEWARE has the order.

requests   RequestRecord, OptionalTrailingSlash, InternalPaths, RateLimitHeaders
problems   ProblemAnswers
forms      AdminForms
pages      ContentPolicy, Sessions, Authentication, Messages: Django's own, skipped for the API (PagesOnly)
"""
