# make test    everything that must hold: vet, rules, unit tests, kernel tests, labs
# make demo    the system doing its job on this machine, with faults
# make build   bin/gslb and bin/director
# make bench-dns  queries per second and processor time beside NSD, Knot, gdnsd and CoreDNS
# make bench-director  large tables and changed weights beside keepalived
# make lint    more than vet; needs time and memory, so not part of test
# make man     bin/man: the manual pages
# make install the programs, manual pages and shell completions below PREFIX (/usr/local)
# make clean   removes bin/

GO    ?= go
bin   := $(CURDIR)/bin
PREFIX ?= /usr/local
# Static programs run anywhere, also in the kernels that tests carry them into.
static := CGO_ENABLED=0 $(GO)

# Pure rooms start no goroutine (deps_test.go sees to it), so there is nothing
# in them to race, and the race detector takes its time.
pure  := $(addprefix gslb/,topology conf conf/format conf/codes health steering tiers graph plan explain report vrrp wiring \
	dnsserver/rr dnsserver/zonefile internal/near internal/siphash)
raced  = $(filter-out $(pure),$(shell $(GO) list ./...))

# The parts of test one after the other: labs need the machine for themselves.
.NOTPARALLEL:
.PHONY: build test unit kernel xdp lab demo bench-dns bench-director lint man install clean

build:
	@test -x bin/gslb || echo "building bin/gslb and bin/director (the first time takes a minute)"
	@mkdir -p bin
	@$(static) build -trimpath -o bin/ ./cmd/gslb ./cmd/director ./lab/uml/umlrun ./lab/qemu/qemurun

test: unit kernel xdp lab

unit: build
	@scripts/setup
	$(GO) vet ./...
	$(GO) vet -tags kernel,xdp,lab ./...
	$(GO) test -race -shuffle=on $(raced)
	$(GO) test -shuffle=on $(pure)

# The tests that need a kernel with IPVS run inside user-mode Linux, never anywhere else.
kernel: build
	@bin/umlrun -lend keepalived true
	GSLB_BIN="$(bin)" $(static) test -tags kernel -count=1 -shuffle=on -timeout 30m -parallel 6 -exec "'$(bin)/umlrun' -mem 1536" \
		./lab/ ./dataplane/... ./lab/uml/ ./vrrp/conn/

# What user-mode Linux has not, sockets of AF_XDP, runs under Debian's own kernel in qemu.
xdp: build
	$(static) test -tags xdp -count=1 -timeout 10m ./lab/qemu/
	GSLB_BIN="$(bin)" $(static) test -tags xdp -count=1 -shuffle=on -timeout 20m -exec "'$(bin)/qemurun' -file '$(bin)/gslb' -module veth -module bridge" ./dnsserver/afxdp/

# The programs as a user runs them.
lab: build
	@bin/umlrun true
	GSLB_BIN="$(bin)" $(static) test -tags lab -count=1 -timeout 20m -parallel 4 -v ./lab/

demo: build
	@bin/gslb lab demo examples/failover.hcl

bench-dns: build
	@$(static) build -trimpath -o bin/bench-dns ./bench/dns
	@bin/bench-dns

bench-director: build
	@$(static) build -trimpath -o bin/bench-director ./bench/director
	@bin/bench-director

lint: build
	$(GO) tool -modfile=tools/go.mod golangci-lint run

man: build
	@rm -rf bin/man
	@bin/gslb man bin/man
	@bin/director man bin/man

to := $(DESTDIR)$(PREFIX)
install: man
	install -d "$(to)/bin" "$(to)/share/man/man1" "$(to)/share/man/man5"
	install bin/gslb bin/director "$(to)/bin"
	install -m 644 bin/man/*.1 "$(to)/share/man/man1"
	install -m 644 bin/man/*.5 "$(to)/share/man/man5"
	install -d "$(to)/share/bash-completion/completions" "$(to)/share/zsh/site-functions" "$(to)/share/fish/vendor_completions.d"
	for p in gslb director; do \
		bin/$$p completion bash >"$(to)/share/bash-completion/completions/$$p" && \
		bin/$$p completion zsh >"$(to)/share/zsh/site-functions/_$$p" && \
		bin/$$p completion fish >"$(to)/share/fish/vendor_completions.d/$$p.fish" || exit 1; \
	done

clean:
	rm -rf bin
