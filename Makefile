# Builds, serves, tests and measures Inkling. `make serve` and `make test` install missing tools with scripts/setup.
# Works with the make of macOS (3.81), which runs each line in a shell of its own.
SHELL := bash
.DEFAULT_GOAL := help

# One target folder outside the clone, so that all clones on a machine share their builds.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/inkling/target
export PATH := $(HOME)/.cargo/bin:$(PATH)
NATIVE := --no-default-features --features cpu,ndarray,files
# Goes before a command that builds wasm: selects the toolchain that has the wasm standard library.
WASM = eval "$$(scripts/setup env)" &&
WASM_TARGET := --release --target wasm32-unknown-unknown --no-default-features

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

serve: ## build the page with all workers and serve it on http://localhost:8080
	@scripts/setup build
	@scripts/data
	@ls "$$CARGO_TARGET_DIR"/wasm32-unknown-unknown/release/deps/libburn_wgpu* >/dev/null 2>&1 || \
	  echo "The first build takes about 40 minutes on two cores, more than half of it for WebGPU; 'make serve-cpu' takes about ten."
	$(WASM) trunk serve --offline

serve-cpu: ## the same with the CPU worker only, built in about ten minutes
	@scripts/setup build
	@scripts/data
	sed -e '/worker_webgpu/d' -e '/worker_ndarray/d' -e 's/content="cpu ndarray webgpu"/content="cpu"/' index.html > .site-cpu.html
	$(WASM) trunk serve --offline --html-output index.html .site-cpu.html

data: ## get MNIST for the page to serve, from MNIST_DIR or by download
	@scripts/data

dist: ## build the release site in dist/
	@scripts/setup build
	$(WASM) trunk build --offline
	@scripts/sizes

test: test-native test-browser test-page ## run all tests

test-native: ## run the native tests
	@scripts/setup build
	cargo test --workspace $(NATIVE)

# One run for each worker's features, so that the tests share the workers' builds.
test-browser: ## run the tests that need a page or a worker, in a headless browser
	@scripts/setup test
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features webgpu --test page --test worker
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features ndarray --test worker

test-page: dist ## test the built page, used as a visitor would use it
	@scripts/setup test
	$(WASM) node --test --test-timeout=900000 --test-concurrency=1 tests/e2e/*.test.mjs

# PYTHON names a Python that has Keras, to measure Keras as well. QUICK=1 measures less.
bench: dist ## measure the tables of docs/performance.md: every backend and replica count, the parts of a step, and Keras if installed
	@scripts/setup bench
	cargo build $(NATIVE) --example train_native
	$(WASM) cargo build $(WASM_TARGET) --features cpu --example parts
	$(WASM) wasm-bindgen --target no-modules --out-dir "$$CARGO_TARGET_DIR/parts" "$$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/examples/parts.wasm"
	$(WASM) node benches/bench.mjs

pictures: ## take screenshots of the page in dist/ for review, in pictures/
	@scripts/setup test
	$(WASM) node tests/e2e/pictures.mjs

check: ## run what CI runs
	@scripts/setup test
	cargo fmt --check
	cargo clippy --workspace --all-targets $(NATIVE) -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --bin page -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --features files --bin worker_files -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --features cpu --lib --bins --tests --example parts -- -D warnings
	$(MAKE) test

.PHONY: help serve serve-cpu data dist test test-native test-browser test-page bench pictures check
