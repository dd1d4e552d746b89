#!/bin/bash
# fuzz.sh BIN OUT [SECONDS]: schemathesis reads the API's description from a running service and sends valid and invalid
# requests for SECONDS, as an owner who is also a global admin.
#
# Fails if an answer is 5xx, if the description lacks its status, or if its body does not match the schema. Leaves out
# uploads: their bodies are compressed, and a fuzz target of their own covers them.
set -euo pipefail
bin=$(realpath "$1") out=$2 seconds=${3:-60}
rm -rf "$out"
mkdir -p "$out"
out=$(realpath "$out")
export PATH=$(realpath "${API_PYTHON:-${CARGO_TARGET_DIR:-target}/api-python}")/bin:$PATH
export NETCENSUS_PLAN_DATABASE=$out/plan.sqlite
plan=$bin/netcensus-plan
cat >"$out/plan.toml" <<END
[limits]
per_second = 100000
burst = 100000
END
"$plan" serve --config "$out/plan.toml" --listen 127.0.0.1:0 2>"$out/service.log" >/dev/null &
service=$!
trap 'kill $service 2>/dev/null || true' EXIT
for _ in $(seq 6000); do # a hang, not a slow start
    kill -0 $service 2>/dev/null || { cat "$out/service.log" >&2; exit 1; }
    url=$(grep -o 'listening on http://[^ ]*' "$out/service.log" | cut -d' ' -f3) && break
    sleep 0.1
done
"$plan" subscription create Contoso >/dev/null
printf '%s\n' "a long enough password" | "$plan" user create owner --role O --global-admin >/dev/null
token=$("$plan" token create owner --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["token"])')
sid=$("$plan" subscription list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["subscriptions"][0]["id"])')
# Most requests name the subscription that exists: the service refuses others at once.
cat >"$out/schemathesis.toml" <<END
seed = 1
[parameters]
"path.sid" = "$sid"
[generation]
deterministic = true
END
cd "$out"
status=0
schemathesis --config-file "$out/schemathesis.toml" run "$url/openapi.json" --url "$url" \
    --header "Authorization: Bearer $token" --max-time "$seconds" --continue-on-failure --max-failures 50 \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --exclude-path-regex "/uploads\$" --suppress-health-check all --request-timeout 300 --warnings off --no-color >"$out/report.txt" 2>&1 || status=$?
tail -n 25 "$out/report.txt"
if grep -qE 'ERROR|panicked' "$out/service.log"; then
    echo "fuzz: the service logged errors:" >&2
    grep -E 'ERROR|panicked' "$out/service.log" | head -5 >&2
    exit 1
fi
[ $status = 0 ] || echo "fuzz: see $out/report.txt" >&2
exit $status
