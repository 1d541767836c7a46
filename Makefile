# The one door: people, README and CI all go through here. `make help` lists what there is.
# What a machine needs, what is checked of it and what is installed: tests/setup.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# Cargo uses every core by itself; two steps at once would only wait for each other's lock, and mix their output.
.NOTPARALLEL:

.PHONY: help run check audit test soak fuzz bench image setup
.PHONY: prerequisites compiler check-rust check-dependencies check-javascript check-operations
.PHONY: test-rust test-cost test-sim test-load test-e2e test-client test-chaos test-operations
.PHONY: soak-sim soak-chaos fuzz-corpus bench-rust bench-load bench-client

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

run: prerequisites compiler ## Start the gateway on port 3003, built for release
	@echo 'run: the gateway (cargo run --release)'
	@cargo run --release

check: prerequisites compiler check-rust check-dependencies check-javascript check-operations ## Format, lints, types, docs, dependencies: everything but running it

test: setup test-rust test-cost test-sim test-load test-e2e test-client test-chaos test-operations ## Set up what the tests need, then run every test there is

SOAK_FROM ?= 1
SOAK_SEEDS ?= 200000

soak: setup soak-chaos soak-sim ## Break real servers, then play 200,000 simulated runs (hours; make soak-sim SOAK_FROM=<seed> goes on)

soak-chaos:
	@echo 'soak: building the gateway for release (cargo build --release --workspace)'
	@cargo build --release --workspace --quiet
	@echo 'soak: every fault, as often as docs/reliability.md says (npm run chaos in tests/e2e)'
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	cd tests/e2e && SHELFCAST_BIN="$$target/release/shelfcast" SHELFCAST_PROOF="$$target/release/shelfcast-proof" \
	npm run --silent chaos -- all

soak-sim:
	@echo 'soak: $(SOAK_SEEDS) simulated runs from seed $(SOAK_FROM) (shelfcast-proof sim)'
	@cargo run --release --quiet --package shelfcast-proof -- sim --from $(SOAK_FROM) --seeds $(SOAK_SEEDS)

# FUZZ_TARGET: which, empty is all. FUZZ_RUNS: executions of each, empty is a campaign's. FUZZ_SECONDS: 0 is no limit.
export FUZZ_TARGET FUZZ_RUNS FUZZ_SECONDS

fuzz: prerequisites compiler ## Make up input for every decoder, a minute each (FUZZ_TARGET=notify, FUZZ_RUNS=10000000, FUZZ_SECONDS=0)
	@tests/setup cxx
	@tests/fuzz/run

# After a campaign: what tests/fuzz/corpus keeps, and `make test` replays.
fuzz-corpus: prerequisites compiler
	@tests/setup cxx
	@tests/fuzz/run minimise

bench: setup bench-load bench-rust bench-client ## Measure, half an hour; times are printed, never asserted (make bench-load LOAD='--quick')

# What the load benchmark is asked for; see benches/load/README.md.
LOAD ?=

bench-load:
	@echo 'bench: building the gateway and the load benchmark for release (cargo build --release)'
	@cargo build --release --quiet --package shelfcast --package shelfcast-load
	@echo 'bench: what a delivery, a connection and an event cost, beside two other servers (shelfcast-load, 20 minutes)'
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	"$$target/release/shelfcast-load" run --markdown "$$target/load.md" --svg "$$target/load.svg" $(LOAD)

bench-rust:
	@echo 'bench: the path of an event, the index, the log (cargo bench, 6 minutes)'
	@cargo bench --bench path --bench index --bench log

bench-client:
	@echo 'bench: the client on the example shop, in a browser (npm run bench in client-ts, 5 minutes)'
	@cargo build --release --quiet
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	browser=$$(tests/setup browser) && \
	cd client-ts && SHELFCAST_BIN="$$target/release/shelfcast" CHROMIUM="$$browser" npm run --silent bench

image: prerequisites compiler ## Carry out the Dockerfile's steps without Docker, as root (PROFILE=release: as shipped)
	@tests/setup ops
	@node tests/ops/image/run.js

setup: prerequisites ## Install what the tests need (Debian, Ubuntu; elsewhere say what is missing)
	@tests/setup all

# === the steps ===

prerequisites:
	@tests/setup prerequisites

compiler:
	@tests/setup compiler

check-rust:
	@echo 'check: format (cargo fmt)'
	@cargo fmt --all --check
	@echo 'check: lints (cargo clippy)'
	@cargo clippy --workspace --all-targets -- -D warnings
	@echo 'check: docs (cargo doc)'
	@RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items

# cargo-deny takes minutes to build. CI (CI=true) installs it, so that nothing gets past; a developer's machine is told
# what was left out.
DENY_INSTALL := cargo install --locked cargo-deny --version 0.20.2

check-dependencies:
	@if ! cargo deny --version >/dev/null 2>&1 && [ "$$CI" = true ]; then \
	    echo 'check: installing cargo-deny, which takes minutes ($(DENY_INSTALL))'; \
	    $(DENY_INSTALL); \
	fi
	@if ! cargo deny --version >/dev/null 2>&1; then \
	    echo 'check: SKIPPED bans, licences and sources: there is no cargo-deny ($(DENY_INSTALL))'; \
	else \
	    echo 'check: bans, licences, sources (cargo deny)' && \
	    cargo deny --log-level error check --hide-inclusion-graph bans licenses sources; \
	fi

# Apart from `check`, because it needs the network and may fail although nothing here has changed.
audit: prerequisites compiler ## Look for known vulnerabilities in what is built in (needs the advisory database, from the network)
	@cargo deny --version >/dev/null 2>&1 || $(DENY_INSTALL)
	@echo 'audit: advisories, with a fresh database (cargo deny)'
	@cargo deny check advisories

check-javascript:
	@echo 'check: JavaScript syntax (node --check)'
	@find tests/e2e tests/ops benches/load/node '(' -name node_modules -o -name .venv -o -name .tools ')' -prune -o -name '*.js' -print | xargs -n 1 node --check
	@tests/setup packages
	@echo 'check: the client as it is published: format, lints, types, package, sizes, docs (npm run check in client-ts)'
	@cd client-ts && npm run --silent check

check-operations:
	@tests/setup ops
	@echo 'check: image, manifests, alerts, dashboard, what is published (npm run check in tests/ops)'
	@cd tests/ops && npm run --silent check

test-rust:
	@echo 'test: units, integration, tidy, doc tests (cargo test)'
	@cargo test --workspace

# The regression guard: a path that became dearer than its recorded budget fails. See benches/cost.rs.
test-cost:
	@echo 'test: building the hottest paths, optimised (cargo bench --profile cost --no-run)'
	@cargo bench --quiet --profile cost --bench cost --no-run
	@echo 'test: instructions of the hottest paths against their budgets (callgrind)'
	@cargo bench --quiet --profile cost --bench cost

# Nothing is measured here: it shows that the benchmark works, and that nothing is lost under its load.
test-load:
	@echo 'test: building the gateway (cargo test --workspace --no-run)'
	@cargo test --workspace --no-run --quiet
	@echo 'test: every scenario of the load benchmark with a few clients (shelfcast-load run --quick, a minute)'
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	cargo run --quiet --package shelfcast-load -- run --quick --shelfcast "$$target/debug/shelfcast" >"$$target/load-quick.md"

# Faults that no test thought of: several gateways on a simulated Redis, judged by the checker. See tests/proof/README.md.
test-sim:
	@echo 'test: 2,000 simulated runs with faults (shelfcast-proof sim)'
	@cargo run --quiet --package shelfcast-proof -- sim --seeds 2000

# The binary that `cargo test` built: `cargo build` alone would build everything again, because the tests ask tokio for
# one feature more. Cargo may have been told to build elsewhere, so it is asked where the binary is.
#
# With the feature `otel` it is built the same way, first and put aside: a test that needs the binary brings it along.
test-e2e:
	@echo 'test: building the gateway with the feature otel (cargo test --features shelfcast/otel --no-run --test tidy)'
	@cargo test --workspace --features shelfcast/otel --no-run --quiet --test tidy
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	cp -f "$$target/debug/shelfcast" "$$target/debug/shelfcast-otel"
	@echo 'test: building the gateway (cargo test --workspace --no-run)'
	@cargo test --workspace --no-run --quiet
	@echo 'test: the binary with real clients (npm test in tests/e2e)'
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	browser=$$(tests/setup browser) && \
	cd tests/e2e && SHELFCAST_BIN="$$target/debug/shelfcast" SHELFCAST_OTEL_BIN="$$target/debug/shelfcast-otel" \
	CHROMIUM="$$browser" npm test

# With the binary of test-e2e. The package that Next.js gets is the one that is built here.
test-client:
	@echo 'test: building the gateway (cargo test --workspace --no-run)'
	@cargo test --workspace --no-run --quiet
	@echo 'test: the client: units, the real gateway, Next.js, the example shop in a browser (npm run test:all in client-ts)'
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	browser=$$(tests/setup browser) && \
	cd client-ts && SHELFCAST_BIN="$$target/debug/shelfcast" CHROMIUM="$$browser" npm run --silent test:all

# The same faults as `make soak` on real processes, a few times each. Histories of failed runs stay in the temporary folder.
test-chaos:
	@echo 'test: real servers broken under load (npm run chaos in tests/e2e)'
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	cd tests/e2e && SHELFCAST_BIN="$$target/debug/shelfcast" SHELFCAST_PROOF="$$target/debug/shelfcast-proof" \
	npm run --silent chaos -- all --short

# With the binary of test-e2e: what stands around the gateway, as it is documented.
test-operations:
	@echo 'test: the image, metrics with Prometheus, nginx (npm test in tests/ops)'
	@target=$$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(fs.readFileSync(0)).target_directory') && \
	cd tests/ops && SHELFCAST_BIN="$$target/debug/shelfcast" npm run --silent test
