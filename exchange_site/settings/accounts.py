"""Users, passwords, tokens, and the library that counts rate limits."""

import hashlib
from datetime import timedelta

from exchange_site.settings.environment import configuration

AUTH_USER_MODEL = "wallets.User"
AUTHENTICATION_BACKENDS = ["exchange_site.seeding.sign_in.RefusePublishedPassword"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
]
if configuration.sign_in.refuse_common_passwords:
    AUTH_PASSWORD_VALIDATORS += [
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
        {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    ]

# The first hasher makes new hashes. The others check old ones, which are replaced when their owner signs in.
PASSWORD_HASHERS = ["wallets.runtime.hashing.Argon2Hasher", "wallets.runtime.hashing.Pbkdf2Hasher"]

# Every key is set, because ninja-jwt reads missing keys from environment variables such as ALGORITHM or LEEWAY.
NINJA_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=configuration.sign_in.access_token_minutes),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=configuration.sign_in.refresh_token_days),
    "ROTATE_REFRESH_TOKENS": False,  # rotation is ours, under a lock: wallets.services.tokens
    "BLACKLIST_AFTER_ROTATION": False,
    "UPDATE_LAST_LOGIN": False,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": configuration.django.jwt_secret_key,
    "VERIFYING_KEY": "",
    "AUDIENCE": None,
    "ISSUER": "crypto-exchange",
    "JWK_URL": None,
    "LEEWAY": configuration.sign_in.leeway_seconds,
    "USER_ID_FIELD": "subject",
    "USER_ID_CLAIM": "sub",
    "USER_AUTHENTICATION_RULE": "ninja_jwt.authentication.default_user_authentication_rule",
    "AUTH_TOKEN_CLASSES": ["ninja_jwt.tokens.AccessToken"],
    "TOKEN_TYPE_CLAIM": "token_type",
    "TOKEN_USER_CLASS": "ninja_jwt.models.TokenUser",
    "JTI_CLAIM": "jti",
}

# django-ratelimit's own defaults, spelt out: looking up a missing setting costs more than all its other work.
RATELIMIT_CACHE_PREFIX = "rl:"
RATELIMIT_HASH_ALGORITHM = hashlib.sha256
