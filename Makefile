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
# Compiles with relaxed SIMD, and tells the tests.
RELAXED = INKLING_RELAXED=1 RUSTC_WORKSPACE_WRAPPER="$(CURDIR)/scripts/rustc-relaxed"
# Says which phase begins, and when.
SAY = printf '\n[%s] %s\n' "$$(date +%H:%M:%S)"
# Apart from dist/, so that the tests disturb neither a release nor a server.
TEST_SITE = $(CARGO_TARGET_DIR)/test-site
# One file after the other: two browsers that train at the same time would slow each other down.
E2E = node --test --test-timeout=900000 --test-concurrency=1 tests/e2e/*.test.mjs
WASM_TARGET := --release --target wasm32-unknown-unknown --no-default-features

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

serve: ## serve the page on http://localhost:8080: first with the CPU worker; the others follow in the background
	@scripts/setup build
	@scripts/data
	@$(SAY) "building the page and the CPU worker; the first time, this takes about five minutes on two cores"
	$(WASM) CARGO_INCREMENTAL=1 trunk serve --offline

serve-cpu: ## the same without the WebGPU and burn-ndarray workers
	INKLING_WORKERS=files $(MAKE) serve

data: ## get MNIST for the page to serve, from MNIST_DIR or by download
	@scripts/data

dist: ## build the release site in dist/, and as one archive: inkling-site.tar.gz
	@scripts/setup build
	@$(SAY) "building the release site; the first time, this takes about 25 minutes on two cores"
	$(WASM) trunk build --release --offline
	@scripts/sizes
	@scripts/archive

package: ## make the npm package in package/: the API, the element, and the release site's programs
	@scripts/setup package
	$(WASM) INKLING_WORKERS="files relaxed webgpu" trunk build --release --offline --dist "$(CARGO_TARGET_DIR)/package-site"
	$(WASM) scripts/package "$(CARGO_TARGET_DIR)/package-site" package

test: test-native test-browser test-page ## run the tests that train on the CPU: natively, in a browser, and of the page

test-all: test-native test-browser test-backends test-site ## run all tests: also WebGPU, burn-ndarray, Firefox, WebKit, Lighthouse, and exported files

test-native: ## run the native tests
	@scripts/setup build
	@$(SAY) "building and running the native tests; the first build takes about five minutes on two cores"
	cargo test --workspace $(NATIVE)

# One run for each worker's features, so that the tests share the workers' builds.
test-browser: ## run the tests that need a page or a worker, in a headless browser
	@scripts/setup test
	@$(SAY) "testing in a browser, on the CPU"
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features cpu --test page --test worker
	$(WASM) $(RELAXED) wasm-pack test --headless --chrome --release --no-default-features --features cpu --test worker -- the_kernels
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features files --test parsers

test-backends: ## the same on WebGPU and burn-ndarray
	@scripts/setup test
	@$(SAY) "testing in a browser, on WebGPU (software adapter) and burn-ndarray; the first build takes about 15 minutes on two cores"
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features webgpu --test worker
	$(WASM) wasm-pack test --headless --chrome --release --no-default-features --features ndarray --test worker

test-page: ## test the built page on the CPU, used as a visitor would use it
	@scripts/setup test
	@$(SAY) "testing the page"
	$(WASM) INKLING_WORKERS="files relaxed" trunk build --offline --dist "$(TEST_SITE)"
	$(WASM) INKLING_SITE="$(TEST_SITE)" $(E2E)

# Apart from the others: this compiles a network stack twice.
test-optional: ## test what a usual build leaves out: training on a server and on several devices; and lint CUDA
	@scripts/setup optional
	@$(SAY) "testing training on a server and on several devices; the first build takes about 20 minutes on two cores"
	cargo test -p inkling-train --features devices --test devices
	cargo test -p inkling-cli --features serve,devices
# With DOCS_RS, LLVM, which only linking needs, is not downloaded. In a folder of its own, so that nothing else is built again for it.
	DOCS_RS=1 cargo clippy -p inkling-cli --features cuda,devices,serve,webgpu --target-dir "$${CARGO_TARGET_DIR:-target}/cuda" -- -D warnings
	$(WASM) INKLING_WORKERS="files remote" trunk build --offline --dist "$(TEST_SITE)-server"
	$(WASM) INKLING_SITE="$(TEST_SITE)-server" node --test --test-timeout=900000 tests/e2e/server.test.mjs

test-site: ## test the release site with all its workers, used as a visitor would use it
	@scripts/setup all
	$(MAKE) dist
	@$(SAY) "testing the release site"
	$(WASM) INKLING_ALL=1 $(E2E)

# PYTHON names a Python that has Keras, to measure Keras as well. QUICK=1 measures less, ROUNDS=5 more, and ONLY="2 workers|Keras" only
# these contestants.
bench: dist ## measure the numbers in docs/performance.md: every backend and replica count, the parts of a step, and Keras if installed
	@scripts/setup bench
	cargo build --release -p inkling-cli
	$(WASM) cargo build $(WASM_TARGET) --features cpu --example parts
	$(WASM) wasm-bindgen --target no-modules --out-dir "$$CARGO_TARGET_DIR/parts/plain" "$$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/examples/parts.wasm"
	$(WASM) $(RELAXED) cargo build $(WASM_TARGET) --features cpu --example parts
	$(WASM) wasm-bindgen --target no-modules --out-dir "$$CARGO_TARGET_DIR/parts/relaxed" "$$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/examples/parts.wasm"
	$(WASM) INKLING_ALL=1 node benches/bench.mjs

fuzz: ## fuzz every parser and every restored record, EXECUTIONS times each (20000)
	@scripts/setup build
	@$(SAY) "fuzzing"
	scripts/fuzz $(or $(EXECUTIONS),20000)

sweep: ## in the built page, let each call to the outside fail once and hang once; EVERY=8: one call in eight
	@scripts/setup test
	@$(SAY) "injecting faults; all of them take about a quarter of an hour on two cores"
	$(WASM) INKLING_SITE="$(or $(INKLING_SITE),dist)" EVERY=$(or $(EVERY),1) node --test --test-timeout=2700000 tests/e2e/sweep.run.mjs

soak: ## train for HOURS (2) with everything open, and check that nothing grows; BACKEND=webgpu: on WebGPU
	@scripts/setup test
	$(WASM) INKLING_SITE="$(or $(INKLING_SITE),$(TEST_SITE))" node tests/e2e/soak.mjs

chaos: ## for HOURS (1), disturb a run in every way that a visitor or a machine can, and check that it ends as it would have
	@scripts/setup test
	$(WASM) INKLING_SITE="$(or $(INKLING_SITE),$(TEST_SITE))" node tests/e2e/chaos.mjs

bench-picture: ## what the picture costs: the speed of training with it and without it, in turn
	@scripts/setup test
	$(WASM) INKLING_SITE="$(or $(INKLING_SITE),$(TEST_SITE))" node benches/picture.mjs

first-paint: ## write into index.html what the page's program in TEST_SITE draws first
	@scripts/setup test
	$(WASM) INKLING_SITE="$(or $(INKLING_SITE),$(TEST_SITE))" node tests/e2e/first-paint.mjs

messages: ## collect the page's texts in www/messages/en.json, from the sources and the site in TEST_SITE
	@scripts/setup test
	$(WASM) INKLING_SITE="$(or $(INKLING_SITE),$(TEST_SITE))" node tests/e2e/messages.mjs

pictures: ## take screenshots of the page in dist/ for review, in pictures/
	@scripts/setup test
	$(WASM) node tests/e2e/pictures.mjs

check: ## run what CI runs; EVERY=8: with one injected fault in eight
	@scripts/setup all
	cargo fmt --check
	cargo clippy --workspace --all-targets $(NATIVE) -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --bin page -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --features files --bin worker_files --test parsers -- -D warnings
	$(WASM) cargo clippy $(WASM_TARGET) --features cpu --lib --bins --tests --example parts -- -D warnings
	scripts/audit
	$(MAKE) fuzz
	$(MAKE) test-all
	$(MAKE) sweep

# The targets share one target folder and one site.
.NOTPARALLEL:
.PHONY: help serve serve-cpu data dist package test test-all test-native test-browser test-backends test-page test-optional test-site bench bench-picture first-paint messages fuzz sweep soak chaos pictures check
