# Everything that one does with Inkling. `make serve` and `make test` install what they lack, by scripts/setup.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

# One target folder outside the clone, so that every clone on a machine shares what is built.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/inkling/target
export PATH := $(HOME)/.cargo/bin:$(PATH)
NATIVE := --no-default-features --features cpu,ndarray
WASM_ENV = eval "$$(scripts/setup env)"

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

serve: data ## build the page with all workers and serve it on http://localhost:8080
	@scripts/setup build
	$(WASM_ENV)
	[ -d "$$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/build" ] || \
	  echo "The first build takes 20 to 40 minutes on two cores, nearly all of it for WebGPU; 'make serve-cpu' takes a few. Later ones take seconds to minutes."
	trunk serve --offline

serve-cpu: data ## the same without the WebGPU worker: built in a few minutes
	@scripts/setup build
	$(WASM_ENV)
	sed -e '/worker_webgpu/d' -e '/worker_ndarray/d' -e 's/content="cpu ndarray webgpu"/content="cpu"/' index.html > .site-cpu.html
	trunk serve --offline --html-output index.html .site-cpu.html

data: ## MNIST for the page to serve, from MNIST_DIR or by download
	@scripts/data

dist: ## the release site in dist/
	@scripts/setup build
	$(WASM_ENV)
	trunk build --offline
	scripts/sizes

test: test-native test-browser test-page ## all tests

test-native: ## tests of the core on this machine
	@scripts/setup build
	cargo test $(NATIVE)

test-browser: ## tests in a page and in a worker, headless
	@scripts/setup test
	$(WASM_ENV)
	wasm-pack test --headless --chrome --release --no-default-features --features webgpu,ndarray --test page --test worker

test-page: dist ## the built page, used as a visitor does
	@scripts/setup test
	$(WASM_ENV)
	node --test --test-timeout=900000 tests/e2e/

check: ## what CI runs
	@scripts/setup test
	cargo fmt --check
	cargo clippy --all-targets $(NATIVE) -- -D warnings
	( $(WASM_ENV); cargo clippy --release --target wasm32-unknown-unknown --no-default-features --bin page -- -D warnings; \
	  cargo clippy --release --target wasm32-unknown-unknown --no-default-features --features webgpu,ndarray --all-targets -- -D warnings )
	$(MAKE) test

.PHONY: help serve serve-cpu data dist test test-native test-browser test-page check
