# Everything a newcomer needs: make demo | test | bench | build | clean. Each target sets up what it needs.
# Works from any directory: make -C path/to/lyra demo
ROOT := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
SHELL := /bin/bash -o pipefail
# Swift finds MLX and FFmpeg through pkg-config; bootstrap writes the files.
SWIFT_ENV = cd "$(ROOT)" && export PKG_CONFIG_PATH="$$PWD/.deps/pkgconfig$${PKG_CONFIG_PATH:+:$$PKG_CONFIG_PATH}"
# Release mode throughout: the C++ kernels are useless without optimisation. Tests reach into modules, which needs a flag;
# programs are built with it too, and tests by `swift build` as well, because `swift test` compiles all modules anew for it.
BUILD = swift build -c release -Xswiftc -enable-testing
LYRA = .build/release/lyra
MODEL ?= models/nano
FILTER ?=
# Tests run one after another, since each uses all cores; threads that wait sleep soon, as the command line has them do.

.DEFAULT_GOAL := help
.PHONY: help demo test train-check nano bench build clean bootstrap

help:
	@echo 'make demo    ask a question about a picture by voice; the answer is printed and spoken (a minute or two at first)'
	@echo 'make test    run all tests and print what agrees with the original, and how closely'
	@echo 'make train-check  train tiny models by heart and through all stages (ten minutes)'
	@echo 'make nano    the small model, from nothing: data, tokenizer, all training (many hours; goes on where it was ended)'
	@echo 'make bench   measure every stage at the size of Lyra-Mini 3B (random weights; needs about 16 GiB of memory)'
	@echo 'make build   build the command line tool: .build/release/lyra'
	@echo 'make clean   remove what was built and written (keeps .deps/, which bootstrap fills)'
	@echo
	@echo 'make demo MODEL=path/to/checkpoint   uses a checkpoint of yours'
	@echo 'make test FILTER=OracleTests         runs the tests whose names match'

bootstrap:
	@"$(ROOT)/scripts/bootstrap"

build: bootstrap
	@$(SWIFT_ENV) && $(BUILD) --product lyra

demo: build
	@$(SWIFT_ENV) && scripts/demo "$(MODEL)"

test: bootstrap
	@$(SWIFT_ENV) && $(BUILD) --build-tests && export GOMP_SPINCOUNT=$${GOMP_SPINCOUNT:-5000} && \
		mkdir -p output && { swift test -c release --skip-build --disable-xctest --no-parallel $(if $(FILTER),--filter '$(FILTER)') \
		2>&1 | tee output/test.log || { status=$$?; echo 'What failed:'; grep -a '✘' output/test.log | cut -c 1-600 | tail -40; exit $$status; }; }

train-check: bootstrap
	@$(SWIFT_ENV) && $(BUILD) --build-tests && export GOMP_SPINCOUNT=$${GOMP_SPINCOUNT:-5000} LYRA_TRAIN_CHECK=1 && \
		swift test -c release --skip-build --disable-xctest --no-parallel --filter MemorisationTests && scripts/train-stages

nano: build
	@$(SWIFT_ENV) && export GOMP_SPINCOUNT=$${GOMP_SPINCOUNT:-5000} && scripts/make-nano

bench: build
	@$(SWIFT_ENV) && $(LYRA) bench --preset mini

clean:
	@cd "$(ROOT)" && rm -rf .build output examples/Assistant/.build
