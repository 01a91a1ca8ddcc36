# Few targets; what CI runs is `make test`.
GO ?= go

.PHONY: build test mutate race lint fuzz explore bench recovery overload demo docs proto chaos exact

build: ## one static binary: ./recorderbot
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o recorderbot ./cmd/recorderbot

test: ## all that must hold; installs what it needs where it may
	./scripts/need.sh ffmpeg=ffmpeg flac=flac promtool=prometheus
	-./scripts/need.sh chromium=chromium # without it the tests of playback in a browser are skipped
	$(GO) mod verify
	$(GO) vet ./...
	$(GO) test ./...
	cd tools && $(GO) test -count=1 ./...
	cd tools && $(GO) run ./mutate -short

mutate: ## each guard of the order removed in turn: a test must see it
	cd tools && $(GO) run ./mutate

race: ## the same under the race detector
	$(GO) test -race ./...

lint: ## golangci-lint as pinned in tools/go.mod, and the module files
	cd tools && GOBIN=$(CURDIR)/bin $(GO) install tool
	./bin/golangci-lint run ./...
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff

fuzz: ## each fuzz target for FUZZTIME (default 30s)
	./scripts/fuzz.sh $(or $(FUZZTIME),30s)

explore: ## the machine's states beyond make test: ANNOUNCEMENTS (4), with a crash CRASHED (3), CRASHES (1)
	$(GO) test -run 'TestEveryReachableState$$' -v -timeout 24h -parallel 1 ./internal/recorder -args \
		-explore.announcements=$(or $(ANNOUNCEMENTS),4) -explore.crashed=$(or $(CRASHED),3) -explore.crashes=$(or $(CRASHES),1)

bench: ## the figures of README.md
	./scripts/bench.sh

recovery: ## kill -9, handover and drain with CALLS (default 1000) live; SPEED (1) of their media
	./scripts/recovery.sh $(or $(CALLS),1000) $(or $(SPEED),1)

overload: ## twice the calls that SEATS (default 300) media host seats can take, RATE (100) a second
	./scripts/overload.sh $(or $(SEATS),300) $(or $(RATE),100)

chaos: ## SEEDS (default 100) plans of calls, faults, kill -9 and power cuts; SEED=k plays one again, TIMES=n often; ATONCE=n at the same time
	$(GO) run ./internal/chaos/command -seeds $(or $(SEEDS),100) -seed $(or $(SEED),0) -times $(or $(TIMES),1) -at-once $(or $(ATONCE),3)

exact: ## CALLS (default 1000) drawn calls in peace: each sample that was sent is stored, to the bit; SEED=k plays one of the seeds that a failure names
	$(GO) run ./internal/chaos/command -exact $(or $(CALLS),1000) -seed $(or $(SEED),0) -at-once $(or $(ATONCE),3)

demo: ## a whole recorded call on this machine
	$(GO) run ./cmd/recorderbot demo

docs: ## the pictures of docs/order.md, from the table of the state machine
	$(GO) test -run 'TestPageShowsTheTable$$' ./internal/recorder -args -update

proto: ## regenerate the media host contract (needs protoc)
	cd tools && GOBIN=$(CURDIR)/bin $(GO) install tool
	cd internal/media/link && PATH=$(CURDIR)/bin:$$PATH protoc -I . --go_out=mediahostv1 --go_opt=paths=source_relative \
		--go-grpc_out=mediahostv1 --go-grpc_opt=paths=source_relative mediahost.proto
