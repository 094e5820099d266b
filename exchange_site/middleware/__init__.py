"""Our own middleware, by module. settings.MIDDLEWARE has the order.

requests   RequestRecord, OptionalTrailingSlash, InternalPaths, RateLimitHeaders, HeadLikeGet
api        PagesBegin, PagesEnd: calls of the API pass other middleware than pages
problems   ProblemAnswers
forms      AdminForms
pages      ContentPolicy, Sessions, Authentication, Messages: Django's own, which answer 503 without the database
"""
