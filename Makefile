# What is built, and from what. Each target sets up what it needs; a second run does only what has changed.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: cache-tests conformance help build worker worker-probe demo test lint faults bench bench-builder bench-edge bench-rules bench-engine clean apps chromium

help: ## This list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

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

worker-probe: target/worker-probe/rimward.wasm ## The Worker with a door for the tests of its shell.

target/worker-probe/rimward.wasm: $(WORKER_SOURCES) $(WORKER_TOOLS)
	@echo "Building the Worker with a door for the tests of its shell"
	@edge/worker.sh target/worker-probe probe

# ---- The program -----------------------------------------------------------------------------------------------------

build: target/worker/rimward.wasm ## The program, with the Worker inside: target/release/rimward.
	@echo "Building rimward"
	@RIMWARD_WORKER=$(CURDIR)/target/worker cargo build --quiet --release --locked -p rimward
	@echo "  $(CURDIR)/target/release/rimward"

# ---- The apps that the demo and the tests put through it -------------------------------------------------------------

APP_SOURCES := $(shell find tests/app -type f -not -path '*/node_modules/*' -not -path '*/dist*/*')
BUNDLER_SOURCES := $(shell find tests/bundlers -type f -not -path '*/node_modules/*' -not -path '*/out/*' -not -path '*/golden/*')
# Name, then what the build of tests/app is told.
VITE_VARIANTS := vite vite-relative vite-base vite-import-map
vite-relative := VITE_BASE=./
vite-base := VITE_BASE=/shop/
vite-import-map := VITE_IMPORT_MAP=1
BUNDLER_VARIANTS := webpack webpack-auto webpack-chunkhash webpack-fullhash webpack-default rspack rspack-esm rspack-sri \
    esbuild esbuild-default parcel parcel-unhoisted parcel-legacy vite-pwa

apps: $(VITE_VARIANTS:%=target/apps/%/index.html) $(BUNDLER_VARIANTS:%=target/apps/%/index.html)

tests/app/node_modules/.package-lock.json: tests/app/package.json tests/app/package-lock.json
	@echo "Installing the demo app's packages (npm ci)"
	@cd tests/app && npm ci --silent --no-audit --no-fund
	@touch $@

tests/bundlers/node_modules/.package-lock.json: tests/bundlers/package.json tests/bundlers/package-lock.json
	@echo "Installing webpack, Rspack, esbuild and Parcel (npm ci)"
	@cd tests/bundlers && npm ci --silent --no-audit --no-fund
	@touch $@

$(VITE_VARIANTS:%=target/apps/%/index.html): target/apps/%/index.html: tests/app/node_modules/.package-lock.json $(APP_SOURCES)
	@echo "Building the app: $*"
	@mkdir -p $(@D) && cd tests/app && $($*) VITE_OUT=$(CURDIR)/$(@D) npm run --silent build -- --logLevel error
	@touch $@

# One of them builds tests/app once more, with a service worker.
$(BUNDLER_VARIANTS:%=target/apps/%/index.html): target/apps/%/index.html: tests/bundlers/node_modules/.package-lock.json $(BUNDLER_SOURCES) \
    tests/app/node_modules/.package-lock.json $(APP_SOURCES)
	@echo "Building the small app: $*"
	@mkdir -p $(@D) && cd tests/bundlers && node build.mjs $* --out $(CURDIR)/$(@D) > /dev/null
	@touch $@

cache-tests: target/conformance/cases.json

# The suite's web pages would bring an old npm along: package.json leaves that out.
target/conformance/cases.json: tests/conformance/cases.mjs node_modules/.package-lock.json
	@echo "Taking the cases out of the public suite of cache tests"
	@mkdir -p $(@D) && node $< node_modules/http-cache-tests $@

tests/app/dist/index.html: tests/app/node_modules/.package-lock.json $(APP_SOURCES)
	@echo "Building tests/app with Vite"
	@cd tests/app && npm run --silent build -- --logLevel error
	@touch $@

# ---- Showing and proving ---------------------------------------------------------------------------------------------

demo: build tests/app/dist/index.html ## The demo: a release of tests/app, a small API, the edge. Ends with Ctrl-C.
	@exec tests/demo.sh

# The tests run a program built like themselves, but with the Worker inside: an optimised one would double what a cold
# run compiles.
test: lint target/worker/rimward.wasm target/worker-probe/rimward.wasm target/conformance/cases.json apps tests/app/dist/index.html chromium ## Everything that is to be proved.
	@echo "Testing"
	@# All of it at once: of a part, Cargo would compile much of the rest once more, with other features.
	@RIMWARD_WORKER=$(CURDIR)/target/worker cargo build --quiet --locked --workspace --lib --bins --tests
	@RIMWARD_WORKER=$(CURDIR)/target/worker cargo test --quiet --locked --workspace --no-fail-fast

conformance: target/worker/rimward.wasm target/conformance/cases.json ## The public suite of cache tests, in memory and through `rimward serve`.
	@echo "Running the public suite of cache tests"
	@RIMWARD_WORKER=$(CURDIR)/target/worker cargo build --quiet --locked --workspace --lib --bins --tests
	@RIMWARD_WORKER=$(CURDIR)/target/worker cargo test --quiet --locked --workspace --test it -- --nocapture conformance::

lint: .tools/wasm-target ## Formatting, clippy for both targets, documentation.
	@echo "Looking at format, lints and documentation"
	@cargo fmt --all --check
	@cargo clippy --quiet --locked --workspace --all-targets -- --deny warnings
	@cargo clippy --quiet --locked -p rimward-edge --target wasm32-unknown-unknown -- --deny warnings
	@RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --locked --workspace --no-deps

# Pairs: what a bundler wrote without minifying, or else as it comes; the same as it comes.
BENCH_APPS := tests/app/dist-plain tests/app/dist target/apps/vite target/apps/vite target/apps/webpack target/apps/webpack \
    target/apps/rspack target/apps/rspack target/apps/esbuild target/apps/esbuild

bench: bench-builder

bench-builder: tests/app/dist/index.html tests/app/dist-plain/index.html $(patsubst %,%/index.html,$(sort $(filter target/%,$(BENCH_APPS)))) ## The builder against esbuild, the C brotli, bundlers' own minifiers.
	@mkdir -p target/bench
	@cargo bench --quiet --locked -p rimward --bench builder -- compare \
	    "$$(ls $(CURDIR)/tests/bundlers/node_modules/@esbuild/*/bin/esbuild | head -n 1)" $(CURDIR)/bench/builder/brotli.mjs \
	    $(CURDIR)/target/bench/builder.json $(abspath $(BENCH_APPS))

tests/app/dist-plain/index.html: tests/app/node_modules/.package-lock.json $(APP_SOURCES)
	@echo "Building tests/app with Vite, unminified"
	@cd tests/app && npm run --silent build:plain -- --logLevel error
	@touch $@

chromium:
	@tests/chromium.sh

bench: bench-engine

bench-engine: ## What the decisions of the cache and of pools cost, natively.
	@echo "Measuring the decisions of the cache and of pools"
	@mkdir -p target/bench
	@cargo bench --quiet --locked -p rimward-edge --bench engine > target/bench/engine.json
	@echo "  $(CURDIR)/target/bench/engine.json"

bench: bench-edge ## Speed and size, as ratios within one run.

bench: bench-rules

bench-rules: ## What the edge's rules cost natively.
	@echo "Measuring the edge's rules"
	@mkdir -p target/bench
	@cargo bench --quiet --locked -p rimward-edge --bench rules | tee target/bench/rules.json

ROUNDS := 41

bench-edge: target/worker/rimward.wasm target/bench/hono.js target/bench/limiter.js ## The edge beside a hand-written Worker, Hono and other limiters.
	@echo "Measuring the edge"
	@cargo bench --quiet --locked --profile dev -p rimward-tests --bench edge -- $(ROUNDS) > target/bench/edge.json
	@echo "  $(CURDIR)/target/bench/edge.json"

bench/edge/node_modules/.package-lock.json: bench/edge/package.json bench/edge/package-lock.json
	@echo "Installing what the edge is compared with (npm ci)"
	@cd bench/edge && npm ci --silent --no-audit --no-fund
	@touch $@

target/bench/hono.js target/bench/limiter.js: target/bench/%.js: bench/edge/workers/%.js bench/edge/node_modules/.package-lock.json
	@mkdir -p $(@D)
	@bench/edge/node_modules/.bin/esbuild --log-level=warning --bundle --format=esm --minify $< --outfile=$@

PROGRAMS := rimward,nginx,haproxy,varnish
ONLY :=

# Programs of the system may lie where only administrators look.
faults: build ## Origins' bad days: how many requests are answered well, by Rimward, nginx, HAProxy and Varnish. 10 minutes.
	@bench/faults/setup.sh $(PROGRAMS)
	@echo "Measuring bad days of origins"
	@mkdir -p target/bench
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" cargo bench --quiet --locked --profile dev -p rimward-tests --bench faults -- \
	    --programs $(PROGRAMS) $(if $(ONLY),--only "$(ONLY)") --json $(CURDIR)/target/bench/faults.json --table $(CURDIR)/docs/faults-table.md

clean: ## Removes what was built, not what was installed.
	rm -rf target .rimward tests/app/dist tests/app/dist-plain tests/bundlers/out
	find public -mindepth 1 -not -name .gitignore -delete
