# netcensus: `make` prints what there is to make. Every target installs what it misses (Debian packages, cargo's tools).

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test lint fmt check unit openapi deny demo lab chaos console api deb systemd bench fuzz audit clean

STEP   := .ci/step
NEED   := .ci/need
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The profile that demo, lab and console run in; tests use dev so that nothing is compiled twice.
PROFILE ?= dev
BIN    := $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
CARGO  := cargo --locked
# Tests kill the plan service at places that this compiles in; no release has it.
DEV    := $(if $(filter dev,$(PROFILE)),--features failpoints)

export CARGO_TERM_PROGRESS_WHEN ?= never

help: ## print this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{ printf "make %-9s %s\n", $$1, $$2 }'

run: ## build the release and run the demo; ARGS=--once prints the count and ends
	@$(NEED) build
	@cargo build --locked --release --bin netcensus-plan
	@$(TARGET)/release/netcensus-plan demo $(ARGS)

test: ## everything that continuous integration checks
	@start=$$(date +%s); \
	$(STEP) "install what is missing" $(NEED) build nextest unit deny console api chaos && \
	$(MAKE) --no-print-directory lint unit deny demo lab console api && \
	$(MAKE) --no-print-directory chaos FAULTS="$(CHAOS_QUICK)" && \
	echo "== all passed in $$(($$(date +%s) - start)) s"

lint: ## format, clippy, each feature alone, documentation; warnings are errors
	@$(NEED) build
	@$(STEP) "format" cargo fmt --check
	@$(STEP) "english" .ci/english
	@$(STEP) "clippy" $(CARGO) clippy --quiet --all-targets $(DEV) -- -D warnings
	@$(STEP) "the sensor without the plan service" $(CARGO) clippy --quiet --no-default-features --features sensor --lib --bin netcensus-sensor -- -D warnings
	@$(STEP) "the plan service without the sensor" $(CARGO) clippy --quiet --no-default-features --features plan --lib --bin netcensus-plan -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(STEP) "documentation" $(CARGO) doc --quiet --no-deps

fmt: ## format the code
	@cargo fmt

unit: ## unit, property, integration and documentation tests
	@$(NEED) build nextest unit
	@if cargo nextest --version >/dev/null 2>&1; then $(STEP) "tests" $(CARGO) nextest run --cargo-quiet $(DEV); \
	else $(STEP) "tests" $(CARGO) test --quiet $(DEV) --lib --bins --tests; fi
	@$(STEP) "documentation tests" $(CARGO) test --quiet $(DEV) --doc

openapi: ## write the description of the API that the code generates
	@$(NEED) build
	@UPDATE_OPENAPI=1 $(CARGO) test --quiet $(DEV) --test plan the_committed_description

deny: ## licences, sources and bans of the dependencies
	@$(NEED) deny
	@$(STEP) "licences, sources, bans" $(CARGO) deny --all-features check bans licenses sources

audit: ## known vulnerabilities of the dependencies (needs the advisory database from the network)
	@$(NEED) deny
	@$(CARGO) deny --all-features check advisories

.PHONY: binaries
binaries:
	@$(NEED) build
	@$(STEP) "binaries ($(PROFILE))" $(CARGO) build --quiet --profile $(PROFILE) $(DEV) --bins

demo: binaries ## the demo, once, without compiling a release
	@$(STEP) "demo" timeout --kill-after=5 60 $(BIN)/netcensus-plan demo --once

lab: binaries ## real network software on a mirrored port, found against true (root)
	@$(STEP) "lab" tests/lab/lab.sh $(BIN)

# What continuous integration runs of the faults: those in which something of the sensor's or the service's state breaks.
CHAOS_QUICK := service_killed answer_lost captive_portal corrupt_database two_services partition loss wrong_certificate \
	disk_full disk_read_only corrupt_spool corrupt_spool_at_start corrupt_inventory sensor_killed descriptors clock_jumps days

chaos: binaries ## faults of every kind, each with the census of the undisturbed run (root); FAULTS="disk_full loss"
	@$(NEED) chaos
	@test=$$($(CARGO) test --quiet --test sensor --no-run --message-format=json | \
		python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable") and m["target"]["name"] == "sensor"][-1])') && \
	CHAOS_TEST=$$test $(STEP) "faults" tests/chaos/chaos.py $(BIN) $(FAULTS)

console: binaries ## a visit of the console in headless Chromium
	@$(NEED) console
	@$(STEP) "console" tests/console/visit.py $(BIN) $(TARGET)/console

deb: ## the Debian packages netcensus-sensor and netcensus-plan, with their bills of materials, in target/debian
	@$(NEED) build deb
	@.ci/deb release

systemd: ## the packages in a booted systemd: installed, enrolled, killed, upgraded, purged (root)
	@$(NEED) build deb systemd
	@.ci/deb $(PROFILE)
	@$(STEP) "systemd" tests/systemd/systemd.sh $(TARGET)/debian

api: binaries ## the API asked by a tool what it can think of, for SECONDS=60
	@$(NEED) api
	@$(STEP) "api" tests/api/fuzz.sh $(BIN) $(TARGET)/api $(or $(SECONDS),60)

bench: ## speed: nanoseconds a frame by stage, and replay against tcpdump
	@$(NEED) build bench unit
	@cargo build --locked --quiet --release --bin netcensus-sensor
	@cargo bench --locked --quiet --bench capture -- $(abspath $(TARGET))/bench
	@benches/replay.py $(TARGET)
	@cargo bench --locked --quiet --bench frame
	@cargo bench --locked --quiet --bench rules
	@cargo bench --locked --quiet --bench ingest

fuzz: ## fuzz every target for SECONDS=60, or those of TARGETS="dns frame"
	@$(NEED) build fuzz
	@DURATION=$(or $(SECONDS),60) fuzz/run $(TARGETS)

clean: ## remove what was built
	@cargo clean
