# The common words of this repository; each is one command.
CARGO ?= $(shell packaging/cargo)
FUZZ_SECONDS ?= 60
PEREGRINE := target/release/peregrine
# The stable rules. Those in the other two files ask for a look at what is ordinary on a machine first; to see them
# all: make run RULES="rules/peregrine_rules.yaml rules/peregrine-incubating_rules.yaml rules/peregrine-sandbox_rules.yaml"
RULES ?= rules/peregrine_rules.yaml

.PHONY: run test test-kernels test-packages conformance bench bench-live bench-audit fuzz audit-logging release lint fmt tools clean

run: tools ## build, then watch this machine with RULES, or replay the sample where that cannot be
	$(CARGO) build --release --bin peregrine
	@if $(PEREGRINE) doctor >/dev/null 2>&1; then \
	  exec $(PEREGRINE) run $(addprefix -r ,$(RULES)); \
	else \
	  echo "this machine cannot be watched from here ($(PEREGRINE) doctor says why); a sample instead:"; \
	  $(PEREGRINE) replay samples/incident.scap $(addprefix -r ,$(RULES)); fi

test: tools lint ## everything that can be tested here; the last line counts the conformance cases
	$(CARGO) test --workspace --no-fail-fast
	benches/instructions
	$(CARGO) build --release --bin peregrine
	@$(PEREGRINE) test rules
	@$(MAKE) --no-print-directory conformance

test-kernels: tools ## the probe on Debian's kernels, in an emulator; downloads them once
	CARGO="$(CARGO)" crates/probe/tests/kernels/run
test-packages: ## what `make release` made, as a stranger, Debian, rpm, Docker, Puppet, Ansible and systemd take it (root)
	packaging/tests/all
conformance: tools ## the binary against the corpus in $$PEREGRINE_CORPUS
	$(CARGO) build --release --bin peregrine --bin conformance
	@target/release/conformance --peregrine $(PEREGRINE) $(KINDS)

bench: tools ## what everything costs, or PARTS of it, as one table in ten minutes (root for live rows); kept in benches/results
	$(CARGO) build --release --bin peregrine --bin make-workload --bin make-rules --bin live-bench --bin live-load
	benches/run $(PARTS)
bench-live: tools ## what watching this machine costs (root, a quiet machine), all or PARTS; kept in benches/results
	$(CARGO) build --release --bin peregrine --bin live-bench
	@out=benches/results/live-$$(date +%F)-$$(uname -r | cut -d- -f1).md; \
	{ echo "# Watching, $$(date +%F)"; echo; \
	  target/release/live-bench $(PEREGRINE) $(if $(PARTS),only=$(PARTS)) \
	    $(RULES); } | tee $$out
bench-audit: tools ## events a second through the webhook for Kubernetes audit events; kept in benches/results
	$(CARGO) build --release --bin peregrine --bin audit-load
	@out=benches/results/audit-$$(date +%F).txt; target/release/audit-load $(PEREGRINE) $(EVENTS) | tee $$out

audit-logging: ## files with which kubeadm, kops, k3s or minikube send their audit events to URL
	@examples/kubernetes-audit/prepare $(URL)

fuzz: tools ## every fuzz target for FUZZ_SECONDS each; wants nightly and cargo-fuzz
	for target in $$($(CARGO) +nightly fuzz list); do \
	  $(CARGO) +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) \
	    -timeout=10 -rss_limit_mb=512 || exit 1; done

release: tools ## packages, archive, chart, list of contents, licences and checksums, in target/release-VERSION; for arm64 too, where it can
	@if packaging/cross ready; then CARGO="$(CARGO)" packaging/cross; else echo "nothing is built for arm64: packaging/cross says what it needs"; fi
	CARGO="$(CARGO)" packaging/build

lint: ## format and warnings, as strict as CI
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
fmt: ## format everything
	$(CARGO) fmt --all

# What the Rust toolchain does not bring along: a C compiler, clang for the kernel programs, libelf and zlib
# for their loader. Debian's names; elsewhere install the same by hand.
tools:
	@missing=; command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v clang >/dev/null || missing="$$missing clang"; \
	command -v pkg-config >/dev/null || missing="$$missing pkg-config"; \
	[ -e /usr/include/libelf.h ] || missing="$$missing libelf-dev"; \
	[ -e /usr/include/zlib.h ] || missing="$$missing zlib1g-dev"; \
	[ -e /usr/include/asm-generic/types.h ] || missing="$$missing linux-libc-dev"; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq $$missing; fi
	@command -v $(lastword $(CARGO)) >/dev/null || { echo "Rust is missing: see https://rustup.rs"; exit 1; }

clean:
	$(CARGO) clean
