# netcensus: `make` lists the targets. Each target installs what it needs and the machine lacks (Debian packages, tools).

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test lint fmt check unit openapi deny demo setup lab attacks chaos console shots pages mail api deb systemd bench live fuzz audit clean

STEP   := .ci/step
NEED   := .ci/need
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The cargo profile of run, demo, lab, console, chaos and api. Tests use dev; a second profile compiles everything again.
PROFILE ?= dev
BIN    := $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
CARGO  := cargo --locked
# Places at which tests kill the plan service; releases do not have them.
DEV    := $(if $(filter dev,$(PROFILE)),--features failpoints)
# Commands that compile the same code must name the same features, or cargo compiles half of the dependencies twice.
LINT   := --features failpoints,bench
BENCH  := --quiet --features bench

export CARGO_TERM_PROGRESS_WHEN ?= never
# .ci/need installs cargo's tools there.
export PATH := $(PATH):$(abspath $(TARGET))/tools

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{ printf "make %-9s %s\n", $$1, $$2 }'

run: ## build the plan service and run its demo; ARGS=--once prints the count and exits
	@$(NEED) build
	@$(CARGO) build --profile $(PROFILE) $(DEV) --bin netcensus-plan
	@$(BIN)/netcensus-plan demo $(ARGS)

test: ## run everything that continuous integration checks
	@start=$$(date +%s); \
	$(STEP) "install what is missing" $(NEED) build nextest unit deny setup console mail api chaos && \
	$(MAKE) --no-print-directory lint unit deny demo setup lab console mail api && \
	$(MAKE) --no-print-directory chaos FAULTS="$(CHAOS_QUICK)" && \
	echo "== all passed in $$(($$(date +%s) - start)) s"

lint: ## check format, clippy, each feature alone, documentation; warnings are errors
	@$(NEED) build
	@$(STEP) "format" cargo fmt --check
	@$(STEP) "english" .ci/english
	@$(STEP) "clippy" $(CARGO) clippy --quiet --all-targets $(LINT) -- -D warnings
	@$(STEP) "the sensor without the plan service" $(CARGO) clippy --quiet --no-default-features --features sensor --lib --bin netcensus-sensor -- -D warnings
	@$(STEP) "the plan service without the sensor" $(CARGO) clippy --quiet --no-default-features --features plan --lib --bin netcensus-plan -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(STEP) "documentation" $(CARGO) doc --quiet --no-deps $(LINT)

fmt: ## format the code
	@cargo fmt

unit: ## run unit, property, integration and documentation tests
	@$(NEED) build nextest unit
	@if cargo nextest --version >/dev/null 2>&1; then $(STEP) "tests" $(CARGO) nextest run --cargo-quiet $(DEV) --tests; \
	else $(STEP) "tests" $(CARGO) test --quiet $(DEV) --tests; fi
	@$(STEP) "documentation tests" $(CARGO) test --quiet $(DEV) --doc

openapi: ## write the OpenAPI description that the code generates
	@$(NEED) build
	@UPDATE_OPENAPI=1 $(CARGO) test --quiet $(DEV) --test plan the_committed_description

deny: ## check licences, sources and bans of the dependencies
	@$(NEED) deny
	@$(STEP) "licences, sources, bans" $(CARGO) deny --all-features check bans licenses sources

audit: ## check the dependencies for known vulnerabilities (downloads the advisory database)
	@$(NEED) deny
	@$(CARGO) deny --all-features check advisories

.PHONY: binaries
binaries:
	@$(NEED) build
	@$(STEP) "binaries ($(PROFILE))" $(CARGO) build --quiet --profile $(PROFILE) $(DEV) --bins

demo: binaries ## run the demo once in the dev profile
	@$(STEP) "demo" timeout --kill-after=5 600 $(BIN)/netcensus-plan demo --once

setup: binaries ## type README's "Set it up" on a machine of its own, as root and as another user (root)
	@$(NEED) setup
	@$(STEP) "README's setup" tests/setup/setup.sh $(BIN)

lab: binaries ## run the sensor on real network software; compare its devices with the true ones (root)
	@$(STEP) "lab" tests/lab/lab.sh $(BIN)

attacks: ## record real attacks and benign use; score the alerts (root); CASES="nmap_syn log_ins" chooses
	@$(NEED) build attacks
	@$(STEP) "the sensor ($(PROFILE))" $(CARGO) build --quiet --profile $(PROFILE) --no-default-features --features sensor --bin netcensus-sensor
	@ATTACKS_PYTHON=$(abspath $(TARGET))/attacks-python/bin/python $(STEP) "attacks" tests/lab/attacks/attacks.py $(BIN)/netcensus-sensor $(CASES)

# The faults that continuous integration runs: those that damage the state of the sensor or the service.
CHAOS_QUICK := service_killed answer_lost captive_portal corrupt_database two_services partition loss wrong_certificate \
	disk_full disk_read_only corrupt_spool corrupt_spool_at_start corrupt_inventory sensor_killed descriptors clock_jumps days

chaos: binaries ## run faults; each must end with the census of the undisturbed run (root); FAULTS="disk_full loss"
	@$(NEED) chaos
	@test=$$($(CARGO) test --quiet $(DEV) --test sensor --no-run --message-format=json | \
		python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable") and m["target"]["name"] == "sensor"][-1])') && \
	CHAOS_TEST=$$test $(STEP) "faults" tests/chaos/chaos.py $(BIN) $(FAULTS)

console: binaries ## visit the demo's console in headless Chromium, judge each page by axe, walk through an empty one (root)
	@$(NEED) console
	@AXE=$(TARGET)/axe/axe_playwright_python/axe.min.js $(STEP) "accessibility" tests/console/judge.py $(BIN)
	@AXE=$(TARGET)/axe/axe_playwright_python/axe.min.js $(STEP) "console" tests/console/visit.py $(BIN) $(TARGET)/console
	@AXE=$(TARGET)/axe/axe_playwright_python/axe.min.js $(STEP) "newcomer" tests/console/newcomer.py $(BIN)

shots: binaries ## take pictures of all pages of the console into target/shots; DOCS=1 renews those of the documents
	@$(NEED) console
	@$(STEP) "shots" tests/console/shots.py $(BIN) $(TARGET)/shots $(if $(DOCS),docs/images)

pages: ## measure the first byte of every page of the console with DEVICES=50000, optimized
	@$(NEED) build load
	@$(CARGO) build --quiet --release --no-default-features --features plan --bin netcensus-plan
	@tests/load/pages.py $(TARGET)/release --devices $(or $(DEVICES),50000)

mail: binaries ## send e-mail to a real mail server on loopback
	@$(NEED) mail
	@$(STEP) "mail" tests/mail/mail.py $(BIN)

deb: ## build both Debian packages, with bills of materials, into target/debian
	@$(NEED) build deb
	@.ci/deb release

systemd: ## install, enrol, kill, upgrade and purge the packages in a booted systemd (root)
	@$(NEED) build deb systemd
	@.ci/deb $(PROFILE)
	@$(STEP) "systemd" tests/systemd/systemd.sh $(TARGET)/debian

api: binaries ## fuzz the API by its description for SECONDS=60
	@$(NEED) api
	@$(STEP) "api" tests/api/fuzz.sh $(BIN) $(TARGET)/api $(or $(SECONDS),60)

bench: ## measure nanoseconds per frame and stage, the dearest frames of each kind, and compare replay with tcpdump
	@$(NEED) build bench unit
	@$(CARGO) build --release $(BENCH) --bin netcensus-sensor
	@$(CARGO) bench $(BENCH) --bench capture -- $(abspath $(TARGET))/bench
	@benches/replay.py $(TARGET)
	@$(CARGO) bench $(BENCH) --bench frame
	@$(CARGO) bench $(BENCH) --bench worst
	@$(CARGO) bench $(BENCH) --bench rules
	@$(CARGO) bench $(BENCH) --bench ingest
	@$(CARGO) bench $(BENCH) --bench advisories

live: ## measure live capture at the sender's top speed on virtual interfaces beside tcpdump; as root
	@$(NEED) build bench unit
	@$(CARGO) build --release $(BENCH) --bin netcensus-sensor
	@test -e $(TARGET)/bench/small.pcap || $(CARGO) bench $(BENCH) --bench capture -- $(abspath $(TARGET))/bench
	@benches/live.py $(TARGET)

fuzz: ## fuzz each target for SECONDS=60; TARGETS="dns frame" chooses
	@$(NEED) build fuzz
	@DURATION=$(or $(SECONDS),60) fuzz/run $(TARGETS)

clean: ## delete everything that was built
	@cargo clean
