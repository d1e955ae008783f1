# SPDX-License-Identifier: Apache-2.0
#
#   make            build/mod_mnet.so and build/mnetctl
#   make demo       two sites on loopback, joined, calling each other
#   make test       every test (installs what it needs first)
#   make check      formatting, static analysis, layering, drift guards, the suite under sanitizers
#   make bench      ratios against the cryptographic floor and a PHP peer
#   make fuzz       libFuzzer over the readers
#   make install    DESTDIR and PREFIX are honoured
#
# VARIANT=asan builds into build/asan with AddressSanitizer and UndefinedBehaviorSanitizer.

PREFIX    ?= /usr/local
APXS      ?= apxs
PKGCONFIG ?= pkg-config
STATEDIR  ?= /var/lib/apache2/mnet
FUZZTIME  ?= 60
# Where httpd looks for the pieces of a module's configuration: Debian's folder where there is one.
CONFDIR   ?= $(if $(wildcard /etc/apache2/mods-available),/etc/apache2/mods-available,$(call apxs-q,SYSCONFDIR))

VARIANT   ?=
B         := build$(if $(VARIANT),/$(VARIANT))

apxs-q     = $(shell $(APXS) -q $(1) 2>/dev/null)
LIBS_PKG  := libxml-2.0 openssl libcurl libarchive lmdb jansson apr-1 apr-util-1
MNET_CPPFLAGS := -Isrc -D_GNU_SOURCE -DOPENSSL_NO_DEPRECATED -DOPENSSL_API_COMPAT=30000 \
             -DMNET_STATE_DIR='"$(STATEDIR)"' $(shell $(PKGCONFIG) --cflags $(LIBS_PKG) 2>/dev/null)
WARNINGS  := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
             -Wwrite-strings -Wvla -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers
CFLAGS    ?= -O2 -g
HARDEN    := -fstack-protector-strong $(if $(VARIANT),,-D_FORTIFY_SOURCE=2)
comma     := ,
SANITIZE  := $(if $(filter asan,$(VARIANT)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
# make V=1 shows the commands.
Q         := $(if $(V),,@)
say        = $(if $(V),:,printf '  %-4s %s\n' $(1) $(2))
ALL_CFLAGS := -std=gnu11 -fPIC -pthread $(WARNINGS) $(HARDEN) $(SANITIZE) $(CFLAGS)
LDLIBS    := $(shell $(PKGCONFIG) --libs $(LIBS_PKG) 2>/dev/null) -pthread
# A path of ours must not reach httpd's own flags: only its include directory is taken.
HTTPD_CPPFLAGS = -I$(call apxs-q,INCLUDEDIR)

ROOMS     := base wire state package trust rpc service portfolio school
LIB_SRC   := $(wildcard $(ROOMS:%=src/%/*.c))
MOD_SRC   := mod_mnet.c $(wildcard src/httpd/*.c)
CLI_SRC   := $(wildcard src/cli/*.c)
UNIT_SRC  := $(wildcard t/unit/*.c)
FUZZ_SRC  := $(wildcard t/fuzz/fuzz_*.c)
BIN_SRC   := $(wildcard t/bin/*.c)

obj        = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB       := $(B)/libmnet.a
UNITS     := $(patsubst t/unit/%.c,$(B)/unit/%.t,$(UNIT_SRC))
REPLAYS   := $(patsubst t/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
BINS      := $(patsubst t/bin/%.c,$(B)/bin/%,$(BIN_SRC))

all: $(B)/mod_mnet.so $(B)/mnetctl

$(B)/obj/%.o: %.c
	@mkdir -p $(@D) && $(call say,CC,$@)
	$(Q)$(CC) $(MNET_CPPFLAGS) $(EXTRA_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(call obj,$(MOD_SRC)): EXTRA_CPPFLAGS = $(HTTPD_CPPFLAGS)

$(LIB): $(call obj,$(LIB_SRC))
	@rm -f $@ && $(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(B)/mod_mnet.so: $(call obj,$(MOD_SRC)) $(LIB)
	@$(call say,LD,$@)
	$(Q)$(CC) -shared $(SANITIZE) $(LDFLAGS) -Wl,-z,relro,-z,now -o $@ $^ $(LDLIBS)

$(B)/mnetctl: $(call obj,$(CLI_SRC)) $(LIB)
	@$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# --- tests ---------------------------------------------------------------------------------------

$(B)/unit/%.t: t/unit/%.c $(LIB)
	@mkdir -p $(@D) && $(call say,CC,$@)
	$(Q)$(CC) $(MNET_CPPFLAGS) -It/unit $(ALL_CFLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(LIB) $(LDLIBS) -lcmocka

# A fuzz target replays its corpus when it is built without libFuzzer.
$(B)/fuzz/%: t/fuzz/%.c t/fuzz/replay.c $(LIB)
	@mkdir -p $(@D) && $(call say,CC,$@)
	$(Q)$(CC) $(MNET_CPPFLAGS) $(ALL_CFLAGS) -o $@ $< t/fuzz/replay.c $(LIB) $(LDLIBS)

bench-programs: $(patsubst t/bench/%.c,$(B)/bench/%,$(wildcard t/bench/*.c))
$(B)/bench/%: t/bench/%.c $(LIB)
	@mkdir -p $(@D) && $(call say,CC,$@)
	$(Q)$(CC) $(MNET_CPPFLAGS) $(ALL_CFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(B)/bin/%: t/bin/%.c $(LIB)
	@mkdir -p $(@D) && $(call say,CC,$@)
	$(Q)$(CC) $(MNET_CPPFLAGS) $(ALL_CFLAGS) -o $@ $< $(LIB) $(LDLIBS)

units: $(UNITS)
replays: $(REPLAYS)
bins: $(BINS)

# Packages of Debian 12 and 13.  Not apache2 itself, which would start a server: only its programs.
BUILD_DEPS := gcc libc6-dev pkg-config apache2-bin apache2-dev libapr1-dev libaprutil1-dev libssl-dev \
             libxml2-dev libcurl4-openssl-dev libarchive-dev liblmdb-dev libjansson-dev
TEST_DEPS  := $(BUILD_DEPS) perl ca-certificates openssl libcmocka-dev curl php-cli php-fpm php-xml php-xmlrpc? python3 chromium? nodejs:node? npm:npm?
CHECK_DEPS := $(TEST_DEPS) clang clang-format clang-tidy cppcheck libclang-rt-dev? shellcheck
BENCH_DEPS := $(TEST_DEPS) wrk

test-deps:
	@t/tools/packages $(TEST_DEPS)

# The packages decide what pkg-config answers, so that the build is a make of its own.
# A test that lacks something fails then.
test: test-deps
	@MNET_TEST_WHOLE=1 $(MAKE) --no-print-directory run-tests

# JOBS: test files at once.  TESTS: which ones.  What speaks to a real httpd runs under prefork, too.
JOBS  ?= 2
PREFORK_TESTS ?= $(if $(TESTS),,$(wildcard t/[123]?-*.t))
TESTS ?=
run-tests: all units replays bins bench-programs
	CMOCKA_MESSAGE_OUTPUT=TAP MNET_BUILD='$(CURDIR)/$(B)' prove -It/lib -j$(JOBS) --timer $(or $(TESTS),$(wildcard t/*.t) $(UNITS))
	$(if $(PREFORK_TESTS),MNET_TEST_MPM=prefork MNET_BUILD='$(CURDIR)/$(B)' prove -It/lib -j$(JOBS) $(PREFORK_TESTS))

demo:
	@t/tools/packages $(BUILD_DEPS)
	@$(MAKE) --no-print-directory all
	@MNET_BUILD='$(CURDIR)/$(B)' perl -It/lib t/demo/demo.pl

bench:
	@t/tools/packages $(BENCH_DEPS)
	@$(MAKE) --no-print-directory all bench-programs
	@MNET_BUILD='$(CURDIR)/$(B)' perl -It/lib t/bench/bench.pl

check:
	@t/tools/packages $(CHECK_DEPS)
	@t/tools/check

fuzz:
	@t/tools/packages $(BUILD_DEPS) clang libclang-rt-dev
	@FUZZTIME='$(FUZZTIME)' t/tools/fuzz

install: all
	install -d '$(DESTDIR)$(call apxs-q,LIBEXECDIR)' '$(DESTDIR)$(PREFIX)/sbin' '$(DESTDIR)$(call apxs-q,INCLUDEDIR)' \
	    '$(DESTDIR)$(PREFIX)/share/man/man8' '$(DESTDIR)$(PREFIX)/share/man/man5' '$(DESTDIR)$(CONFDIR)'
	install -m 644 $(B)/mod_mnet.so '$(DESTDIR)$(call apxs-q,LIBEXECDIR)'
	install -m 755 $(B)/mnetctl '$(DESTDIR)$(PREFIX)/sbin'
	install -m 644 src/httpd/mod_mnet.h '$(DESTDIR)$(call apxs-q,INCLUDEDIR)'
	install -m 644 docs/man/*.8 '$(DESTDIR)$(PREFIX)/share/man/man8'
	install -m 644 docs/man/*.5 '$(DESTDIR)$(PREFIX)/share/man/man5'
	for f in mnet.load mnet.conf; do \
	    [ -e '$(DESTDIR)$(CONFDIR)'/$$f ] || install -m 644 conf/$$f '$(DESTDIR)$(CONFDIR)'; done

clean:
	rm -rf build

# For the tools of t/tools.
print-flags:
	@:$(info -std=gnu11 $(subst ',,$(MNET_CPPFLAGS) $(HTTPD_CPPFLAGS)))
print-libs:
	@:$(info $(LDLIBS))

.PHONY: all units replays bins test-deps test run-tests demo bench bench-programs check fuzz install clean print-flags print-libs

-include $(wildcard $(B)/obj/*.d $(B)/obj/*/*.d $(B)/obj/*/*/*.d $(B)/unit/*.d)
