# The gateway with the example routes. Your own: mount a folder with routes.yaml at /config (README).
#
#   docker build --tag rights-gateway .
#   docker run --rm --publish 8080:8080 rights-gateway

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/gateway
COPY constraints.txt pyproject.toml README.md LICENSE routes.yaml ./
COPY handlers handlers
COPY gateway gateway
RUN python -m pip --python /opt/gateway/bin/python install \
    --no-cache-dir --disable-pip-version-check --constraint constraints.txt '.[postgres]'

FROM python:3.13-slim-bookworm
RUN python -m pip uninstall --yes --root-user-action ignore pip \
    && groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin gateway \
    && install --directory --owner gateway --mode 700 /data
COPY --from=build /opt/gateway /opt/gateway
COPY routes.yaml /config/
COPY handlers /config/handlers
# The admin token is no secret here: its file's name is.
# hadolint ignore=DL3064
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_ROUTES=/config/routes.yaml \
    GATEWAY_DATABASE=/data/gateway.db \
    GATEWAY_LISTEN=0.0.0.0:8080 \
    GATEWAY_ADMIN=0.0.0.0:8081 \
    GATEWAY_ADMIN_TOKEN_FILE=/data/admin-token \
    RIGHTS_GATEWAY_IMAGE=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["gateway"]
CMD ["serve", "--sample-receiver", "127.0.0.1:8090"]
