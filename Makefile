# Everything that a developer or CI runs. `make test` must pass.

.DEFAULT_GOAL := help
.NOTPARALLEL: # the parts of `make test` take turns: each uses all cores itself
SHELL := /bin/bash

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT    := go tool -modfile=tools/go.mod golangci-lint

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: dev
dev: ## Run the whole service here, with stand-ins for what it has no settings for
	scripts/run-local.sh

.PHONY: example
example: ## Run the Next.js example on that: AI_WORKER_URL for another service
	scripts/run-example.sh

.PHONY: emulator
emulator: ## Run the Cloud Tasks emulator by itself: ARGS='--queue projects/p/locations/l/queues/q'
	go run ./cmd/cloud-tasks-emulator $(ARGS)

.PHONY: build
build: ## Build the program that is shipped, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ai-worker ./cmd/ai-worker

.PHONY: image
image: ## Build the image that is shipped, with Docker
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) -t ai-worker:$(VERSION) .

.PHONY: test
test: setup test-go-race test-client test-browser lint terraform ## Set up, then test and check everything, as CI does

.PHONY: test-go-race
test-go-race: ## Run the Go tests as CI does: shuffled, under the race detector
	scripts/with-postgres.sh go test -race -shuffle=on -timeout=20m ./...
	scripts/with-postgres.sh go test -run='^TestHistoriesFindDefects$$' ./record/postgres # this and those below do not run under the race detector
	go test ./test/fairness ./test/lanes

.PHONY: test-go
test-go: ## Run the Go tests only: no set-up, no linters, results cached
	scripts/with-postgres.sh go test ./...

.PHONY: test-client
test-client: ## Test the npm package, also against the service: CALLS=500 for as many calls through faults
	cd client && npm ci --prefer-offline --ignore-scripts && npm test

.PHONY: test-browser
test-browser: ## Use the example and the dashboard as people do, in Chromium: SCREENSHOTS=folder to look at them
	scripts/test-browser.sh

.PHONY: lint
lint: ## Check the code, its format, go.mod and the scripts
	go mod tidy -diff
	go vet ./...
	$(LINT) run
	shellcheck scripts/*.sh .ci/run

.PHONY: terraform
terraform: ## Check the Terraform configuration, and apply it to a stand-in of Google's APIs
	scripts/check-terraform.sh

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the code calls; asks vuln.go.dev
	go tool -modfile=tools/go.mod govulncheck ./...

.PHONY: fmt
fmt: ## Format the Go code and the Terraform configuration
	$(LINT) fmt
	terraform fmt -recursive terraform

.PHONY: settings
settings: ## Write the README's table of settings, as package config declares them
	go test ./config -run TestREADME -update

.PHONY: bench
bench: ## Run the Go benchmarks
	scripts/with-postgres.sh go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-dashboard
bench-dashboard: ## Measure the dashboard's pages with a thousand, a hundred thousand and a million jobs, or with others: JOBS=1000,10000
	scripts/with-postgres.sh go test ./record/postgres -run '^$$' -bench 'Pages$$' -benchtime 1x -timeout 1h

.PHONY: bench-quota
bench-quota: ## Measure how much of a quota is used, and whether it is crossed, also while services stall and instances end (45 minutes)
	scripts/with-postgres.sh go run ./bench/quota
	scripts/with-postgres.sh go run ./bench/quota -rpm 60,1000 -disturb

.PHONY: histories
histories: ## Compare Postgres with the specification for as long as wanted: CHECKS=100000 histories
	scripts/with-postgres.sh go test ./record/postgres ./record/memory -count=1 -timeout=0 \
		-run 'TestHistories$$|TestHistoriesWithReopening' -rapid.checks=$(or $(CHECKS),10000) -rapid.steps=100

.PHONY: chaos
chaos: ## Kill and break everything for ten minutes, and audit what is left
	CHAOS_SECONDS=600 scripts/with-postgres.sh go test -v -count=1 -timeout=30m ./test/chaos

.PHONY: rolling
rolling: ## Run the version before and this one together for three minutes, as in a deploy: OLD=path of the program before
	@[ -x "$(OLD)" ] || { echo "OLD must be the path of the version before's ai-worker; CONTRIBUTING.md tells how to get one" >&2; exit 2; }
	OLD=$(abspath $(OLD)) CHAOS_SECONDS=$(or $(CHAOS_SECONDS),180) go test -v -count=1 -timeout=30m -run 'TestChaos$$' ./test/chaos

.PHONY: setup
setup: ## Install what the tests need, or say what to install
	scripts/setup.sh

.PHONY: clean
clean: ## Remove what was built; .data/, the state of `make dev`, stays
	rm -rf bin test/{node,openapi,browser}/node_modules test/openapi/client/api client/{node_modules,test/react18/node_modules,dist} \
		examples/nextjs/{node_modules,.next}
