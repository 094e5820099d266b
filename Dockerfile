# The image of the API and of the workers: `task build`.
#
#   CONTENTS=production   the default: without tests, stack, demo, seeder and exchange simulator
#   CONTENTS=sandbox      the same, with the seeder and the exchange simulator, for a trial
#
# REQUIREMENTS=requirements-observability.txt adds the packages for an error tracker and for traces.
ARG CONTENTS=production

FROM python:3.12-slim AS packages
ARG REQUIREMENTS=requirements.txt
WORKDIR /build
COPY requirements.txt requirements-observability.txt ./
# Only wheels, because the image has no compiler. Bytecode is compiled now and never checked again, because the
# containers' file systems are read-only; without bytecode ccxt takes seconds at every start.
RUN python -m venv --without-pip /opt/venv && \
    python -m pip --python /opt/venv/bin/python install --require-hashes --only-binary=:all: \
        --no-cache-dir --no-compile --disable-pip-version-check -r "$REQUIREMENTS" && \
    /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


FROM python:3.12-slim AS sandbox-code
WORKDIR /app
COPY manage.py pyproject.toml ./
COPY wallets wallets
COPY trading trading
COPY settlement settlement
COPY exchange_site exchange_site
COPY docs/guide.md docs/sandbox.md docs/versions.md docs/


FROM sandbox-code AS production-code
# exchange_site/seeding/sign_in.py and published.py stay: everybody signs in by them, and nobody with the seeder's public
# password.
RUN rm -r exchange_site/simulator exchange_site/management/commands/exchange_simulator.py \
    exchange_site/seeding/coins.py exchange_site/seeding/customers.py \
    exchange_site/management/commands/seeder.py


FROM ${CONTENTS}-code AS code


FROM python:3.12-slim
ARG VERSION=unknown
LABEL org.opencontainers.image.title=crypto-exchange \
    org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.licenses=MIT
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    DJANGO_SETTINGS_MODULE=exchange_site.settings \
    DEBUG=False \
    BIND_ADDRESS=0.0.0.0 \
    PORT=8000
# /data is for the book of the exchange simulator; a new volume mounted there gets the same owner.
RUN groupadd --gid 10001 app && \
    useradd --uid 10001 --gid app --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app && \
    install --directory --owner=app --group=app /data
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=code /app ./
# The production settings do not load without secrets and a ceiling of losses. These exist for this one command only.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash . && \
    secret() { python -c "import secrets; print(secrets.token_hex(32))"; } && \
    SECRET_KEY="$(secret)" JWT_SECRET_KEY="$(secret)" ENCRYPTION_KEYS="$(secret)" POSTGRES_PASSWORD="$(secret)" \
        HOUSE_LOSS_PER_DAY=1 python manage.py collectstatic --noinput
USER 10001:10001
EXPOSE 8000
# Of the API. A worker needs the check of docker-compose.yml, and migrations none.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from os import environ; from urllib.request import urlopen; urlopen(f'http://127.0.0.1:{environ[\"PORT\"]}/health/', timeout=4)"]
CMD ["python", "-m", "exchange_site.serve"]
