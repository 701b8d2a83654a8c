# Everything that one does with Inkling. `make serve` and `make test` install what they lack, by scripts/setup.
# Works with the make of macOS (3.81): each line is a shell of its own.
SHELL := bash
.DEFAULT_GOAL := help

# One target folder outside the clone, so that every clone on a machine shares what is built.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/inkling/target
export PATH := $(HOME)/.cargo/bin:$(PATH)
NATIVE := --no-default-features --features cpu,ndarray,files
# Before a command that builds wasm: the toolchain that has its standard library.
WASM = eval "$$(scripts/setup env)" &&
WASM_TARGET := --release --target wasm32-unknown-unknown --no-default-features

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

serve: ## build the page with all workers and serve it on http://localhost:8080
	@scripts/setup build
	@scripts/data
	@ls "$$CARGO_TARGET_DIR"/wasm32-unknown-unknown/release/deps/libburn_wgpu* >/dev/null 2>&1 || \
	  echo "The first build takes about 40 minutes on two cores, more than half of it for WebGPU; 'make serve-cpu' takes about ten."
	$(WASM) trunk serve --offline

serve-cpu: ## the same without the WebGPU worker: built in about ten minutes
	@scripts/setup build
	@scripts/data
	sed -e '/worker_webgpu/d' -e '/worker_ndarray/d' -e 's/content="cpu ndarray webgpu"/content="cpu"/' index.html > .site-cpu.html
	$(WASM) trunk serve --offline --html-output index.html .site-cpu.html

data: ## MNIST for the page to serve, from MNIST_DIR or by download
	@scripts/data

dist: ## the release site in dist/
	@scripts/setup build
	$(WASM) trunk build --offline
	@scripts/sizes

test: test-native test-browser test-page ## all tests

test-native: ## tests of the core on this machine
	@scripts/setup build
	cargo test $(NATIVE)

# One run with each worker's features: they share what the workers were built from.
test-browser: ## tests in a page and in a worker, headless
	@scripts/setup test
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features webgpu --test page --test worker
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features ndarray --test worker

test-page: dist ## the built page, used as a visitor does
	@scripts/setup test
	$(WASM) node --test --test-timeout=900000 --test-concurrency=1 tests/e2e/*.test.mjs

# PYTHON names one that has Keras, if Keras is to be measured beside; QUICK=1 measures less.
bench: dist ## the README's tables: every backend and replica count, the parts of a step, and Keras where it is
	@scripts/setup bench
	cargo build $(NATIVE) --example train_native
	$(WASM) cargo build $(WASM_TARGET) --features cpu --example parts
	$(WASM) wasm-bindgen --target no-modules --out-dir "$$CARGO_TARGET_DIR/parts" "$$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/examples/parts.wasm"
	$(WASM) node benches/bench.mjs

pictures: ## screenshots of the page in dist/, to be looked at, in pictures/
	@scripts/setup test
	$(WASM) node tests/e2e/pictures.mjs

check: ## what CI runs
	@scripts/setup test
	cargo fmt --check
	cargo clippy --all-targets $(NATIVE) -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --bin page -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --features files --bin worker_files -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --features cpu --lib --bins --tests --example parts -- -D warnings
	$(MAKE) test

.PHONY: help serve serve-cpu data dist test test-native test-browser test-page bench pictures check
