"""The settings of the project, as typed groups of `exchange_site.configuration`."""

from exchange_site.settings.environment import configuration

CLOCK = configuration.clock
DEPOSITS = configuration.deposits
DEVELOPMENT = configuration.development
ENCRYPTION = configuration.encryption
JOBS = configuration.jobs
LIMITS = configuration.limits
LOSSES = configuration.losses
MAIL = configuration.mail
METRICS = configuration.metrics
PAYOUTS = configuration.payouts
PERSONAL_DATA = configuration.personal_data
POOLS = configuration.pools
POSTGRES = configuration.postgres
PRICES = configuration.prices
PROPOSALS = configuration.proposals
QUOTES = configuration.quotes
REDIS = configuration.redis
RISK = configuration.risk
SECURITY_LOG = configuration.security_log
SERVING = configuration.serving
SETTLEMENT = configuration.settlement
SIGN_IN = configuration.sign_in
TELEMETRY = configuration.telemetry
TO_DO = configuration.to_do
VENUE = configuration.venue
FURTHER_VENUES = configuration.further_venues
