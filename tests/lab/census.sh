# The programs under test: the plan service and the sensor. Sourced by lab.sh, which gives W, BIN, within, wait_for, die.

start_plan() { :; }
start_sensor() { :; }
restart_plan() { :; }
stop_sensor() { :; }
ask_plan() { echo '{}' >$W/found.json; }
replay_capture() { echo '{}' >$W/replayed.json; }
