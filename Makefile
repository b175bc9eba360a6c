# The verbs that a person types; `make help` lists them.
#
# Cargo builds into target/, everything else goes into build/. Cargo knows by itself what has to be built again, so it
# is simply asked each time; the rest are files with dependencies.

PYTHON ?= python3
# The text of `make demo`; by default one made from this machine's documentation.
FILE ?= build/words/text

TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV   := build/venv
export FILE PYTHON
# For all whom we call, wherever they work.
export CARGO_TARGET_DIR := $(if $(filter /%,$(TARGET)),$(TARGET),$(CURDIR)/$(TARGET))

.DELETE_ON_ERROR:
.PHONY: help
help:                     ## this list
	@sed -n 's/^\([a-z-]*\):.*##\(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# Says what the machine lacks, before anything else fails for want of it.
NEEDS = cargo cc python
install header: NEEDS = cargo cc
test: NEEDS = cargo cc cxx python
.PHONY: need
need:
	@.ci/need $(NEEDS)

## Python: a virtual environment, and the wheel in it ------------------------------------------------------------------

WHEEL_SOURCES := Cargo.toml Cargo.lock README.md $(wildcard LICENSE-*) $(shell find core/src core/Cargo.toml python -type f -not -path '*/__pycache__/*' -not -name '*.so')

$(VENV)/.made: | need
	@echo "make: a virtual environment in $(VENV)"
	@rm -rf $(VENV)
	@"$$PYTHON" -m venv $(VENV)
	@touch $@

$(VENV)/.wheel: $(VENV)/.made $(WHEEL_SOURCES)
	@echo "make: the Python module (a wheel in build/wheels, installed in $(VENV))"
	@rm -rf build/wheels
	@$(VENV)/bin/pip wheel --quiet --no-deps --wheel-dir build/wheels ./python
	@$(VENV)/bin/pip install --quiet --no-deps --no-index --force-reinstall build/wheels/madang-*.whl
	@touch $@

# What tests and lint use: pytest, ruff and others.
$(VENV)/.tools: $(VENV)/.made tests/python/requirements.txt
	@echo "make: the tools of tests and lint"
	@$(VENV)/bin/pip install --quiet --requirement tests/python/requirements.txt
	@touch $@

## The demo ------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: demo-cargo build/words/words $(filter build/words/text,$(FILE)) $(VENV)/.wheel  ## count the words of FILE=… with C, Python and Rust
	@ln -sf "$$CARGO_TARGET_DIR/release/libmadang.so" build/words/libmadang.so.0
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" examples/words/run.sh "$$FILE" build/words "$$CARGO_TARGET_DIR/release/words-worker"

.PHONY: demo-cargo
demo-cargo: | need
	cargo build --release -p madang-capi -p madang-examples

build/words/words: examples/words/words.c include/madang.h | demo-cargo
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -g -Wall -Wextra $(CFLAGS) -Iinclude $< -o $@ \
		-L$(TARGET)/release -lmadang -Wl,-rpath,'$$ORIGIN'

build/words/text: examples/words/text.sh
	@echo "make: a text from this machine's documentation: $@"
	@examples/words/text.sh $@

## The C library and the command ----------------------------------------------------------------------------------------

DESTDIR    ?=
PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
DATADIR    ?= $(PREFIX)/share
# As cargo calls it.
PROFILE    ?= release

.PHONY: install
install: need             ## the C libraries and the command, into PREFIX (LIBDIR, INCLUDEDIR, BINDIR, DATADIR) under DESTDIR
	@cargo build --quiet --profile $(PROFILE) -p madang-capi -p madang-sysv -p madang-cli
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" BINDIR="$(BINDIR)" DATADIR="$(DATADIR)" \
		packaging/install.sh $(TARGET)/$(PROFILE:dev=debug)

.PHONY: header
header: need              ## include/madang.h, from the comments in capi/
	@MADANG_UPDATE_HEADER=1 cargo test --quiet -p madang-tests --test abi the_committed_header

## Tests ---------------------------------------------------------------------------------------------------------------

.PHONY: test
test: need $(VENV)/.wheel $(VENV)/.tools  ## all tests: Rust, C, Python
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" MADANG_PYTHON="$(CURDIR)/$(VENV)/bin/python" \
		timeout --foreground 20m cargo test --workspace
	$(VENV)/bin/pytest -q tests/python

# More arguments, as "--only step/" or "--seed 7".
TORTURE ?=
.PHONY: torture torture-quick
torture:                  ## try everything that could lose a message, for an hour or two; goes on where it was stopped
	@$(MAKE) --no-print-directory torture-quick TORTURE='--full --write docs/guarantees.md $(TORTURE)'

torture-quick: need $(VENV)/.wheel  ## some of it, for minutes
	@cargo build --quiet --release -p madang-capi
	@cargo build --quiet --release -p madang-tests --bin torture
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" MADANG_PYTHON="$(CURDIR)/$(VENV)/bin/python" $(TARGET)/release/torture $(TORTURE)

.PHONY: lint
lint: need $(VENV)/.tools  ## formatting, clippy, ruff, documentation without warnings
	cargo fmt --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --check --quiet .

## Measuring ------------------------------------------------------------------------------------------------------------

# Arguments of the harness, as --quick (two minutes) or --only 1-1/64.
BENCH ?=
.PHONY: bench
bench: need               ## madang and its rivals, side by side: some fifteen minutes (BENCH=--quick: three)
	bench/run $(BENCH)

.PHONY: clean
clean:                    ## remove what was built
	cargo clean
	rm -rf build
