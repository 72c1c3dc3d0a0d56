#!/bin/sh
# Runs once, while the volume is empty: a role that owns its own database, and may do nothing else.
set -eu
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
	--set password="$(sed -n 's/^password=//p' "${SERVICE_FILE:-/run/secrets/postgres-service}")" <<'SQL'
CREATE ROLE gateway LOGIN PASSWORD :'password';
CREATE DATABASE gateway OWNER gateway;
SQL
