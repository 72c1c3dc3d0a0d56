#!/bin/sh
# Make what compose.yaml mounts as secrets, once: passwords of PostgreSQL, and a token of the admin API.
# The folder is readable for its owner alone; the files in it have to be readable inside the containers.
set -eu
umask 022
folder=${1:-$(dirname "$0")/secrets}
test ! -e "$folder" || { echo "$folder is there already: remove it to make new ones" >&2; exit 1; }
mkdir -m 700 "$folder"
random() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

random >"$folder/postgres-password"
printf '[gateway]\npassword=%s\n' "$(random)" >"$folder/postgres-service"
token=rgw_$(random)
printf '%s' "$token" >"$folder/admin-token"
digest=$(printf '%s' "$token" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1)
printf 'admin admin sha256:%s\n' "$digest" >"$folder/admin-tokens"
echo "$folder has the secrets; the token of the admin API is in $folder/admin-token"
