# Bare `make` prints this list. Everything needs Go and a C compiler; nothing needs Python but `make bench`, `make bench-sweep`, `make test-peft`, `make test-ray` and `make test-tools`.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)
FUZZTIME ?= 20s
BENCHFLAGS ?=
SIMTIME ?= 2m
GOLANGCI := bin/golangci-lint
GOVULNCHECK := v1.9.0
SHELL := /bin/sh

# Plug-ins are installed by `sweep backend install` alone, never behind the user's back.
export GOMLX_NO_AUTO_INSTALL = 1

# The pure-Go backend gets a smaller grid. Expanded when quickstart runs: after the plug-in had its chance.
quickstart_grid = experiments/quickstart$(if $(filter go,$(shell bin/sweep backend list --resolve)),-go,).yaml

.DEFAULT_GOAL := help
.PHONY: help build test race xla crash powerloss simulate mutants browser fuzz bench bench-memory bench-sweep test-peft test-tools test-ray test-slurm golden graph man lint security fmt cover experiments calibrate base-model planted-data smollm2 quickstart pictures install-plugin plugin-if-possible clean

help: ## Print this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r t h; do printf '  %-15s %s\n' "$$t" "$$h"; done

build: ## Build bin/sweep
	@command -v "$$(go env CC)" >/dev/null || { echo "make: no C compiler ($$(go env CC)) found: install gcc or clang (SQLite and XLA need one)" >&2; exit 1; }
	go build -ldflags '$(LDFLAGS)' -o bin/sweep ./cmd/sweep

install-plugin: build ## Install the XLA CPU plug-in, or say why that does not work
	bin/sweep backend install

plugin-if-possible: build
	@bin/sweep backend install || echo "==== NO XLA PLUG-IN: continuing in pure Go, about 20 times slower; the XLA tests will be skipped ====" >&2

test: plugin-if-possible ## Run every test, with XLA where its plug-in is there or can be had
	go test -timeout 25m ./...

race: ## Run every test under the race detector
	go test -race -timeout 60m ./...

xla: build ## Run the trainer's tests; fails where the XLA CPU plug-in is missing and says how to get it
	bin/sweep backend list --resolve --backend xla:cpu
	go test -count=1 -timeout 25m ./trainer/...

# Much of what these tests do is wait, and one of them waits for another process: two at once leave two cores idle.
crash: ## Kill, freeze, starve and damage the real program and compare the ends; KILLS=5000 REAL=100 ROUNDS=20 runs long, SEED=N repeats
	SWEEP_CRASH_KILLS=$(or $(KILLS),30) SWEEP_CRASH_REAL=$(or $(REAL),3) SWEEP_CRASH_ROUNDS=$(or $(ROUNDS),1) SWEEP_CRASH_SEED=$(SEED) \
		go test -count=1 -parallel 4 -timeout $(if $(KILLS)$(REAL)$(ROUNDS),48h,25m) -v -run 'Crashes|Faults|Damaged|Deaths|Kill' ./cmd/sweep

powerloss: ## Cut the power at every sync of a real sweep and resume; CUTS=N at N of them (needs root and /dev/fuse)
	go test -count=1 ./cmd/sweep/disktest
	SWEEP_POWERLOSS_CUTS=$(or $(CUTS),all) SWEEP_CRASH_SEED=$(SEED) go test -count=1 -timeout 4h -v -run PowerLoss ./cmd/sweep

simulate: ## Simulate faulty histories for SIMTIME (default 2m; FROM=N begins at a seed; SEED=N replays one, and prints all that happens)
	go run ./experiments/simulate $(if $(SEED),-seed $(SEED) -v,-time $(SIMTIME) $(if $(FROM),-from $(FROM)))

mutants: ## Break our own code in 31 ways, one at a time: the simulation must notice each (takes minutes)
	go run ./experiments/simulate mutants

browser: ## Test the HTML report and the live page in a headless browser (installs Debian's chromium where apt-get can)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
		{ echo "make: no chromium, and apt-get could not install it: install Chromium or Chrome yourself" >&2; exit 1; }
	go test -count=1 -timeout 10m -v -run InBrowser ./sweep/report/page ./cmd/sweep

# An input that reaches new code is minimized for 60 s by default, during which nothing else is tried.
fuzz: ## Fuzz every parser for FUZZTIME each (default 20s)
	@for f in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$f); do \
			echo "$$name ($$f)"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s ./$$(dirname $$f) || exit 1; \
		done; \
	done

bench: ## Measure our step and evaluation beside PyTorch+PEFT's (makes .venv-bench with Python's pip)
	go run ./experiments/bench $(BENCHFLAGS)

bench-memory: build ## Hold predicted against measured memory for 22 shapes (SmolLM2's where make smollm2 has fetched it)
	go run ./experiments/bench memory $(BENCHFLAGS)

bench-sweep: build ## Measure the time to a verdict beside a plain PEFT loop over the whole grid (the same .venv-bench)
	go run ./experiments/bench sweep $(BENCHFLAGS)

test-peft: ## Test round trips with PEFT, masks beside TRL's, the benchmark (makes .venv-bench with Python's pip, or takes SWEEP_PYTHON)
	@[ -n "$$SWEEP_PYTHON" ] || .venv-bench/bin/python -c 'import peft, torch, transformers, trl' 2>/dev/null || \
		{ python3 -m venv .venv-bench && .venv-bench/bin/python -m pip install --quiet -r experiments/bench/requirements.txt; }
	"$${SWEEP_PYTHON:-.venv-bench/bin/python}" -c 'import peft, torch, transformers, trl'
	SWEEP_PYTHON="$${SWEEP_PYTHON:-$(CURDIR)/.venv-bench/bin/python}" go test -count=1 -timeout 25m -v -run 'PEFT|TRL' ./trainer ./trainer/chat ./experiments/bench

test-tools: ## Read what --track wrote back with TensorBoard, MLflow and wandb themselves (makes .venv-tools with Python's pip)
	@[ -n "$$SWEEP_TOOLS_PYTHON" ] || .venv-tools/bin/python -m pip install --quiet --no-index -r sweep/track/tracktest/requirements.txt 2>/dev/null || \
		{ python3 -m venv .venv-tools && .venv-tools/bin/python -m pip install --quiet -r sweep/track/tracktest/requirements.txt; } || \
		echo "==== SKIPPED: pip cannot install sweep/track/tracktest/requirements.txt; give an interpreter that has them as SWEEP_TOOLS_PYTHON ====" >&2
	@python="$${SWEEP_TOOLS_PYTHON:-$(CURDIR)/.venv-tools/bin/python}"; ! "$$python" -c 'import mlflow, tensorboard, wandb' || \
		SWEEP_TOOLS_PYTHON="$$python" go test -count=1 -timeout 25m -v -run Tools ./sweep/track/... ./cmd/sweep

test-ray: ## Run sweeps on a real Ray head, on loopback; SHORT=1 two of the tests (makes .venv-ray with Python's pip, or takes SWEEP_RAY, the path of ray)
	@[ -n "$$SWEEP_RAY" ] || .venv-ray/bin/python -m pip install --quiet --no-index -r sweep/executor/ray/raytest/requirements.txt 2>/dev/null || \
		{ python3 -m venv .venv-ray && .venv-ray/bin/python -m pip install --quiet -r sweep/executor/ray/raytest/requirements.txt; } || \
		echo "==== SKIPPED: pip cannot install sweep/executor/ray/raytest/requirements.txt; give Ray's program ray as SWEEP_RAY ====" >&2
	@ray="$${SWEEP_RAY:-$(CURDIR)/.venv-ray/bin/ray}"; ! "$$ray" --version || \
		SWEEP_RAY="$$ray" go test -p 1 -count=1 -timeout 40m -v -run '$(if $(SHORT),(Conforms|Quickstart))OnRay' $(if $(SHORT),-short) ./sweep/executor/ray ./cmd/sweep

test-slurm: ## Run sweeps on a real Slurm of one node, on loopback; SHORT=1 two of the tests (installs Debian's slurm-wlm and munge where apt-get can)
	sweep/executor/slurm/slurmtest/one-node.sh go test -p 1 -count=1 -timeout 40m -v -run '$(if $(SHORT),(Conforms|Quickstart))OnSlurm' $(if $(SHORT),-short) ./sweep/executor/slurm ./cmd/sweep

golden: ## Rewrite the golden files of the tests that have them (look at the difference before you commit)
	@for p in $$(git grep -l 'rewrite the golden files' -- '*_test.go' | xargs -n1 dirname | sort -u); do go test -count=1 ./$$p -update || exit 1; done

graph: ## Draw the import graph of CONTRIBUTING.md anew
	go test -count=1 ./cmd/sweep -run TestContributingDrawsTheImports -update

man: build ## Write the manual pages into bin/man
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) bin/sweep man bin/man

lint: $(GOLANGCI) ## Run the linters (the first time builds them, which takes minutes)
	$(GOLANGCI) run ./...

security: $(GOLANGCI) ## Look for holes in our code (gosec) and known ones in what it calls (govulncheck, where its database can be reached)
	$(GOLANGCI) run --enable-only gosec ./...
	GOBIN=$(CURDIR)/bin go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK)
	@bin/govulncheck ./...; code=$$?; [ $$code -ne 1 ] || \
		{ echo "==== SKIPPED: govulncheck cannot work here: is https://vuln.go.dev to be reached? ====" >&2; exit 0; }; exit $$code

fmt: $(GOLANGCI) ## Format the Go code
	$(GOLANGCI) fmt ./...

$(GOLANGCI): .tools/go.mod .tools/go.sum
	cd .tools && go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

cover: ## Run the tests and say how much of each package they cover
	go test -timeout 40m -coverprofile=bin/cover.out ./...
	go tool cover -func=bin/cover.out | tail -1

experiments: build plugin-if-possible smollm2 planted-data ## Run every grid of experiments/
	@for g in experiments/*.yaml; do bin/sweep run $$g || exit 1; done

planted-data: plugin-if-possible ## Sample the data of experiments/planted*.yaml from teachers of known rank (takes minutes)
	go run ./experiments/planted -rank 8 -norm 5 -targets mlp.c_proj -rows 8192 -validation 256 -out models/planted/r8
	go run ./experiments/planted -rank 2 -norm 8 -targets mlp.c_proj -rows 8192 -validation 256 -out models/planted/r2
	go run ./experiments/planted -rank 0 -rows 4096 -validation 256 -out models/planted/r0

calibrate: ## Simulate ladders of known truth: how often the plateau rule and its rivals are right (about 4 minutes)
	go run ./experiments/calibrate > experiments/calibrate/results.md.new
	mv experiments/calibrate/results.md.new experiments/calibrate/results.md

base-model: ## Train the embedded base models from scratch (seeded; takes some 15 minutes with XLA)
	go run ./experiments/basemodel
	go run ./experiments/basemodel -model gopher-small

smollm2: ## Fetch a real model, SmolLM2-135M (93 MB, checksums pinned), into models/
	go run ./experiments/smollm2 models

quickstart: plugin-if-possible ## Fine-tune the embedded model on real text and print which rank pays (under 6 minutes with XLA)
	bin/sweep run $(quickstart_grid)
	@command -v sweep >/dev/null || echo 'To paste commands of the report: export PATH="$(CURDIR)/bin:$$PATH"' >&2

pictures: plugin-if-possible ## Draw the pictures of README from a quickstart in a headless browser (minutes; skipped without chromium)
	go test -count=1 -timeout 60m -v -run '^TestPictures$$' ./cmd/sweep -pictures $(CURDIR)/experiments/pictures

clean: ## Delete what make built; sweeps in runs/ stay
	rm -rf bin .venv-bench .venv-ray .venv-tools
