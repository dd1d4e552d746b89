# The programs under test: the plan service and the sensor, in the sensor's namespace. lab.sh sources this file and defines W,
# BIN, LAB, SECONDS, PATIENCE, within, wait_for, says, say, die.

SERVICE=http://127.0.0.1:8080

plan() { within sensor env NETCENSUS_PLAN_DATABASE="$W/plan.sqlite" "$BIN/netcensus-plan" "$@"; }

serve() {
    ip netns exec sensor "$BIN/netcensus-plan" serve --listen ${SERVICE#http://} --database "$W/plan.sqlite" \
        >>$W/log/plan 2>&1 &
    PLAN=$!
    wait_for "the plan service" within sensor curl -sf -m 60 $SERVICE/readyz
}

start_plan() {
    serve
    plan subscription create Lab >$W/log/subscription 2>&1 || die "no subscription: $(cat $W/log/subscription)"
    plan plan onboard --kind trial --accept-terms >$W/log/onboard 2>&1 || die "no plan: $(cat $W/log/onboard)"
    TOKEN=$(plan sensor token --json 2>$W/log/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])') ||
        die "no token: $(cat $W/log/token)"
    say "plan service: a subscription on a trial, a token for the sensor"
}

start_sensor() {
    cat >$W/sensor.toml <<-END
		state_directory = "$W/sensor"
		[capture]
		interfaces = ["span0"]
		[upload]
		interval = "1s"
		retry_at_most = "2s"
	END
    within sensor "$BIN/netcensus-sensor" enrol --config $W/sensor.toml "$TOKEN" >$W/log/enrol 2>&1 ||
        die "the sensor could not enrol: $(cat $W/log/enrol)"
    ip netns exec sensor "$BIN/netcensus-sensor" run --config $W/sensor.toml >$W/log/sensor 2>&1 &
    SENSOR=$!
    wait_for "the sensor" within sensor curl -sf -m 60 http://127.0.0.1:9109/healthz
    say "sensor: enrolled, listening on span0"
}

# The service must still learn what the sensor sees before and during the outage.
restart_plan() {
    kill -KILL $PLAN
    wait $PLAN 2>/dev/null
    sleep 3
    serve
    say "plan service: killed, started again after 3 s"
}

# On SIGTERM the sensor sends what it has, then ends.
stop_sensor() {
    kill -TERM $SENSOR
    wait $SENSOR || die "the sensor ended with $?"
}

ask_plan() {
    plan devices --json >$W/found.json 2>$W/log/devices || die "no list of devices: $(cat $W/log/devices)"
}

# Waits until the service has the true devices, or for PATIENCE: slow machines need longer until every device has spoken.
wait_for_truth() {
    local end=$((SECONDS + PATIENCE))
    while ask_plan && ! python3 "$LAB/compare.py" $W/truth.tsv $W/unaddressed.tsv $W/found.json >/dev/null; do
        [ $SECONDS -lt $end ] || return 0 # compare.py shows the differences at the end
        sleep 1
    done
}

# Replays the same port's capture: its document must match the truth too.
replay_capture() {
    "$BIN/netcensus-sensor" replay --json $W/span.pcap >$W/replayed.json 2>$W/log/replay ||
        die "the capture could not be replayed: $(cat $W/log/replay)"
}
