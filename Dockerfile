# The image of the API and of the workers. Build: task build

FROM python:3.12-slim AS packages
WORKDIR /build
COPY requirements.txt ./
# Only wheels, because the image has no compiler. Bytecode is compiled now and never checked again, because the
# containers' file systems are read-only; without bytecode ccxt takes seconds at every start.
RUN python -m venv --without-pip /opt/venv && \
    python -m pip --python /opt/venv/bin/python install --require-hashes --only-binary=:all: \
        --no-cache-dir --no-compile --disable-pip-version-check -r requirements.txt && \
    /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


FROM python:3.12-slim
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
COPY manage.py ./
COPY wallets wallets
COPY trading trading
COPY settlement settlement
COPY exchange_site exchange_site
# The production settings do not load without secrets and a ceiling of losses. These exist for this one command only.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash . && \
    secret() { python -c "import secrets; print(secrets.token_hex(32))"; } && \
    SECRET_KEY="$(secret)" JWT_SECRET_KEY="$(secret)" POSTGRES_PASSWORD="$(secret)" HOUSE_LOSS_PER_DAY=1 \
        python manage.py collectstatic --noinput
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/', timeout=4)"]
CMD ["python", "-m", "exchange_site.serve"]
