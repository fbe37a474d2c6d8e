# What is built, and from what. Each target sets up what it needs; a second run does only what has changed.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: worker bench-edge

# ---- Tools: into this folder, nothing into the system ----------------------------------------------------------------

# The glue and the crate must be of one version: that of the lock file.
WASM_BINDGEN := $(shell sed -n '/^name = "wasm-bindgen"$$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)

.tools/wasm-bindgen-$(WASM_BINDGEN): | .tools/cargo
	@echo "Installing wasm-bindgen $(WASM_BINDGEN) into .tools (once, a few minutes)"
	@# A registry may lack a version that the tool's own lock file names: then the versions next to it do.
	@cargo install --quiet --locked --root .tools wasm-bindgen-cli --version $(WASM_BINDGEN) 2>/dev/null || \
	    cargo install --quiet --root .tools wasm-bindgen-cli --version $(WASM_BINDGEN)
	@touch $@

.tools/wasm-target: | .tools/cargo
	@echo "Adding the Rust target wasm32-unknown-unknown"
	@test -d "$$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" || { \
	    command -v rustup > /dev/null || { \
	        echo "error: the Rust target wasm32-unknown-unknown is missing, and so is rustup to add it: see https://rustup.rs" >&2; \
	        exit 2; }; \
	    rustup --quiet target add wasm32-unknown-unknown; }
	@touch $@

.tools/cargo:
	@command -v cargo > /dev/null || { echo "error: cargo is missing: see https://rustup.rs" >&2; exit 2; }
	@mkdir -p .tools && touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm > /dev/null || { echo "error: npm is missing: install Node.js 20 or later" >&2; exit 2; }
	@echo "Installing the JavaScript tools (npm ci)"
	@npm ci --silent --no-audit --no-fund
	@touch $@

# ---- The Worker ------------------------------------------------------------------------------------------------------

WORKER_TOOLS := .tools/wasm-bindgen-$(WASM_BINDGEN) .tools/wasm-target node_modules/.package-lock.json
WORKER_SOURCES := Cargo.toml Cargo.lock edge/Cargo.toml edge/worker.sh $(shell find edge/src edge/shim -type f)

worker: target/worker/rimward.wasm ## The Worker: target/worker/rimward.js and rimward.wasm.

target/worker/rimward.wasm: $(WORKER_SOURCES) $(WORKER_TOOLS)
	@echo "Building the Worker"
	@edge/worker.sh target/worker
	@echo "  rimward.wasm: $$(gzip -9c $@ | wc -c) bytes gzip"

# The same with faults on purpose, for the tests.
target/worker-faulty/rimward.wasm: $(WORKER_SOURCES) $(WORKER_TOOLS)
	@echo "Building the Worker with faults on purpose, for the tests"
	@edge/worker.sh target/worker-faulty fault-injection
