# The commands of Cluecast. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help run test conformance fuzz lint bench-journal

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and serve the example hunt; print its join code, token and addresses (data in ./data)
	cargo run --release --locked --bin cluecast -- serve --hunt examples/harbour-lights

test: ## Run every test; install what they need, or report what is missing
	@.ci/test

conformance: ## Test the WebSocket layer against RFC 6455 with the Autobahn case files (needs PyPI once)
	@.ci/conformance

fuzz: ## Fuzz the WebSocket layer and both codecs, guided by coverage: RUNS=10000000 runs (some minutes)
	@.ci/fuzz $(RUNS)

bench-journal: ## Compare the journal on PostgreSQL with a bare loop of the same statement (four minutes)
	cargo run --release --locked -p cluecast-bench -- journal --json target/journal-bench.json

lint: ## Check format, lints, documentation, licences and duplicate dependencies
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace --locked
	@.ci/deny check licenses bans sources
