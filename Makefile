# The common words of this repository; each is one command.

CARGO ?= cargo
FUZZ_SECONDS ?= 60
PEREGRINE := target/release/peregrine

.PHONY: run test conformance bench fuzz lint fmt tools clean

run: tools ## build, then replay the sample incident with the shipped rules
	$(CARGO) build --release --bin peregrine
	$(PEREGRINE) replay samples/incident.scap -r rules/peregrine_rules.yaml

test: tools lint ## everything that can be tested here; the last line counts the conformance cases
	$(CARGO) test --workspace
	@$(MAKE) --no-print-directory conformance

conformance: tools ## the binary against the corpus in $$PEREGRINE_CORPUS
	$(CARGO) build --release --bin peregrine --bin conformance
	@target/release/conformance --peregrine $(PEREGRINE) $(KINDS)

bench: tools ## figures for every stage
	$(CARGO) bench --workspace

fuzz: tools ## every fuzz target for FUZZ_SECONDS each; wants nightly and cargo-fuzz
	for target in $$($(CARGO) +nightly fuzz list); do \
	  $(CARGO) +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) \
	    -timeout=10 -rss_limit_mb=512 || exit 1; done

lint: ## format and warnings, as strict as CI
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fmt: ## format everything
	$(CARGO) fmt --all

# A linker and a C compiler (zstd) are all that the Rust toolchain does not bring along.
tools:
	@command -v cc >/dev/null || { \
	  echo "installing a C compiler"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq gcc libc6-dev; \
	  else sudo apt-get update -qq && sudo apt-get install -y -qq gcc libc6-dev; fi; }
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: see https://rustup.rs"; exit 1; }

clean:
	$(CARGO) clean
