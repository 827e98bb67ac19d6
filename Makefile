# Builds the tools into build/bin and the library into build/lib; writes nothing outside build/.
#
#   make               everything a user needs
#   make demo          a leaking service and the tools that find its leak; installs what is missing
#   make check         the fast tests            make test    all tests; installs what is missing
#   make lint bench bench-capture leakbench stress fuzz install uninstall clean
#
# WERROR=1 makes warnings errors. VARIANT=asan|clang|fuzz|fastfuzz builds another variant in build/VARIANT.
# CC, CFLAGS, CPPFLAGS, LDFLAGS, PREFIX and DESTDIR are the user's.

# Of the library and of every tool; nowhere else.
VERSION := 0.1.0
SONAME  := libsnap.so.0

TOOLS := snapcat snapinfo snapdiff snapfilter snapload snaptop snaptrend snaprun snaptake

PREFIX     ?= /usr/local
bindir     := $(PREFIX)/bin
libdir     := $(PREFIX)/lib
agentdir   := $(libdir)/snaptools
includedir := $(PREFIX)/include
mandir     := $(PREFIX)/share/man
docdir     := $(PREFIX)/share/doc/snaptools

# --- variants -----------------------------------------------------------------------------------

VARIANT ?= plain
BUILD   ?= $(if $(filter plain,$(VARIANT)),build,build/$(VARIANT))

CFLAGS ?= -O3 -g
ifeq ($(VARIANT),asan)
  CFLAGS   = -O1 -g -fno-omit-frame-pointer
  sanitize = -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),clang)
  CC       = clang
else ifeq ($(VARIANT),fuzz)
  CC       = clang
  CFLAGS   = -O1 -g -fno-omit-frame-pointer
  sanitize = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),fastfuzz)
  CC       = clang
  # Counters of edges alone: callbacks at each comparison cost a third of the time.
  sanitize = -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp,indirect-calls
else ifneq ($(VARIANT),plain)
  $(error VARIANT is plain, asan, clang, fuzz or fastfuzz)
endif

# --- flags --------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wconversion -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
            -Wwrite-strings -Wundef -Wformat=2 -Wvla
ifeq ($(WERROR),1)
  warnings += -Werror
endif

# Sanitizers do not see through fortified calls, and without optimisation there are none.
optimised = $(filter-out -O0,$(filter -O%,$(CFLAGS)))
hardening = -fstack-protector-strong $(if $(sanitize),,$(if $(optimised),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))

# One set of objects serves both libraries, hence position-independent code for all; the third flag
# lets calls inside the library be inlined all the same.
compile = $(CC) -std=c11 $(CFLAGS) -fPIC -fvisibility=hidden -fno-semantic-interposition \
          $(hardening) $(sanitize) $(CPPFLAGS)
link    = $(CC) $(CFLAGS) $(sanitize) $(LDFLAGS) -Wl,--as-needed -Wl,-z,relro -Wl,-z,now

LIBS := -lzstd -lz -lpcre2-8 -lsqlite3 -lm

# --- what there is ------------------------------------------------------------------------------

headers       := $(wildcard libsnap/include/snap/*.h)
lib_sources   := $(wildcard libsnap/*.c libsnap/*/*.c)
front_sources := $(wildcard cmd/frontend/*.c)
sqlite_sources := $(wildcard libsnap/store/extension/*.c)
agent_sources := $(wildcard cmd/capture/*.c)
unit_sources  := $(wildcard tests/unit/test_*.c)
fuzz_sources  := $(wildcard tests/fuzz/fuzz_*.c)
aid_sources   := $(wildcard tests/oracle/*.c tests/bench/*.c tests/leakbench/*.c)
man_pages     := $(wildcard cmd/*.[1-8] schema/*.[1-8])

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

schema_object := $(BUILD)/obj/libsnap/store/schema.o
lib_objects   := $(call object,$(lib_sources)) $(schema_object)
front_objects := $(call object,$(front_sources))
tools         := $(TOOLS:%=$(BUILD)/bin/%)
units         := $(unit_sources:tests/%.c=$(BUILD)/tests/%)
fuzzers       := $(fuzz_sources:tests/%.c=$(BUILD)/tests/%)
aids          := $(aid_sources:tests/%.c=$(BUILD)/tests/%)

front  := $(BUILD)/obj/cmd/frontend.a
static := $(BUILD)/lib/libsnap.a
shared := $(BUILD)/lib/libsnap.so.$(VERSION)
shared_links := $(BUILD)/lib/$(SONAME) $(BUILD)/lib/libsnap.so
sqlite_extension := $(BUILD)/lib/libsnap_sqlite.so
agent := $(addprefix $(BUILD)/lib/snaptools/,snapcapture.so sitecustomize.py snaprun_aside.py)

.PHONY: all test-programs fuzz-programs demo check test lint bench bench-capture leakbench stress fuzz install uninstall clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
export PYTHONDONTWRITEBYTECODE := 1

all: $(tools) $(agent) $(static) $(shared) $(shared_links) $(sqlite_extension) $(BUILD)/lib/pkgconfig/snap.pc

# --- objects ------------------------------------------------------------------------------------

# What may be included is decided here: only the library sees its private headers.
includes = -Ilibsnap/include
$(BUILD)/obj/libsnap/%.o: includes = -Ilibsnap -Ilibsnap/include
$(BUILD)/obj/libsnap/store/extension/%.o: includes = -Ilibsnap/include
$(BUILD)/obj/tests/unit/test_internal_%.o: includes = -Ilibsnap -Ilibsnap/include
$(BUILD)/obj/tests/unit/test_capture_%.o: includes = -Icmd -Ilibsnap/include
$(BUILD)/obj/libsnap/base/status.o: includes += -DSNAP_VERSION='"$(VERSION)"'

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(compile) $(warnings) $(includes) -MMD -MP -c -o $@ $<

# Changes when other flags are asked for, so that objects never mix.
flags_now = $(VERSION) $(compile) $(link)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(flags_now))' | cmp -s - $@ || echo '$(subst ','\'',$(flags_now))' >$@

-include $(shell test -d $(BUILD)/obj && find $(BUILD)/obj -name '*.d')

# schema/store.sql as a string of C.
$(BUILD)/schema.c: schema/store.sql Makefile
	@mkdir -p $(@D)
	{ echo '#include "store/schema.h"'; echo 'const char snap_store_schema[] ='; \
	  sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $<; echo ';'; } >$@

$(schema_object): $(BUILD)/schema.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(compile) $(warnings) $(includes) -MMD -MP -c -o $@ $<

# --- library ------------------------------------------------------------------------------------

# The list of sources is a dependency of its own: a removed file must leave the archive.
$(BUILD)/lib_sources: FORCE
	@mkdir -p $(@D)
	@echo '$(lib_sources)' | cmp -s - $@ || echo '$(lib_sources)' >$@

$(static): $(lib_objects) $(BUILD)/lib_sources
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $(lib_objects)

$(shared): $(lib_objects) $(BUILD)/lib_sources
	@mkdir -p $(@D)
	$(link) -shared -Wl,-soname,$(SONAME) -o $@ $(lib_objects) $(LIBS)

$(shared_links): $(shared)
	ln -sf $(<F) $@

# Loaded by SQLite, which hands its functions over; has the archive within, and shows nothing of it.
$(sqlite_extension): $(call object,$(sqlite_sources)) $(static)
	@mkdir -p $(@D)
	$(link) -shared -Wl,--exclude-libs,ALL -o $@ $^ $(LIBS)

# $(call pkgconfig,prefix,libdir,includedir)
pkgconfig = sed -e 's|@PREFIX@|$(1)|' -e 's|@LIBDIR@|$(2)|' -e 's|@INCLUDEDIR@|$(3)|' \
            -e 's|@VERSION@|$(VERSION)|' libsnap/snap.pc.in

# This one serves programs that are built against the tree; `make install` writes another.
$(BUILD)/lib/pkgconfig/snap.pc: libsnap/snap.pc.in Makefile
	@mkdir -p $(@D)
	$(call pkgconfig,$(CURDIR),$(abspath $(BUILD))/lib,$${prefix}/libsnap/include) >$@

# --- tools --------------------------------------------------------------------------------------

# The sanitizers have an allocator of their own that cannot be preloaded over, so there the fault layer
# is linked in.
ifeq ($(VARIANT),asan)
  wrapped := malloc calloc realloc read write open fsync rename renameat2 ftruncate close
  fault_objects := $(call object,tests/fault/fault.c)
  fault_flags   := $(wrapped:%=-Wl,--wrap=%)
  $(fault_objects): includes = -DFAULT_WRAP
endif

# An archive, so that a tool has of it, and of the libraries that it needs, only what it calls.
$(BUILD)/front_sources: FORCE
	@mkdir -p $(@D)
	@echo '$(front_sources)' | cmp -s - $@ || echo '$(front_sources)' >$@

$(front): $(front_objects) $(BUILD)/front_sources
	@rm -f $@
	$(AR) rcs $@ $(front_objects)

# Linked with the archives: they start faster and run where they are put.
$(tools): $(BUILD)/bin/%: $(BUILD)/obj/cmd/%.o $(fault_objects) $(front) $(static)
	@mkdir -p $(@D)
	$(link) -pie $(fault_flags) -o $@ $^ $(LIBS)

# Both speak the words of the requests.
$(BUILD)/bin/snaptake: $(BUILD)/obj/cmd/capture/requests.o $(BUILD)/obj/cmd/capture/descriptors.o

# --- capture ------------------------------------------------------------------------------------

# Loaded by Python, which shows its own functions; has the archive within, and shows nothing of it.
$(BUILD)/lib/snaptools/snapcapture.so: $(call object,$(agent_sources)) $(static)
	@mkdir -p $(@D)
	$(link) -shared -pthread -Wl,--exclude-libs,ALL -o $@ $^ $(LIBS) -ldl

$(BUILD)/lib/snaptools/%.py: cmd/capture/%.py
	@mkdir -p $(@D)
	cp $< $@

# --- test programs ------------------------------------------------------------------------------

preloaded := $(BUILD)/tests/fault.so $(BUILD)/tests/slow_libc.so

test-programs: $(units) $(aids) $(fuzzers) $(if $(filter asan,$(VARIANT)),,$(preloaded))

# Tests, and programs that tests in Python make use of.
$(units) $(aids): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(static)
	@mkdir -p $(@D)
	$(link) -pie -o $@ $^ $(LIBS)

# Parts of the agent that know nothing of Python.
$(BUILD)/tests/unit/test_capture_sampler: $(BUILD)/obj/cmd/capture/sampler.o
$(BUILD)/tests/unit/test_capture_lock: $(BUILD)/obj/cmd/capture/lock.o
$(BUILD)/tests/unit/test_capture_shadow: $(BUILD)/obj/cmd/capture/shadow.o $(BUILD)/obj/cmd/capture/memory.o
$(BUILD)/tests/unit/test_capture_watch: $(BUILD)/obj/cmd/capture/watch.o $(BUILD)/obj/cmd/capture/process.o
$(BUILD)/tests/unit/test_capture_table: $(BUILD)/obj/cmd/capture/table.o $(BUILD)/obj/cmd/capture/memory.o

ifneq ($(filter fuzz fastfuzz,$(VARIANT)),)
$(fuzzers): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(static)
	@mkdir -p $(@D)
	$(link) -fsanitize=fuzzer -o $@ $^ $(LIBS)
else
$(fuzzers): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call object,tests/fuzz/replay.c) $(static)
	@mkdir -p $(@D)
	$(link) -pie -o $@ $^ $(LIBS)
endif

fuzz-programs: $(fuzzers)

$(BUILD)/tests/fault.so: $(call object,tests/fault/fault.c)
$(BUILD)/tests/slow_libc.so: $(call object,tests/capture/slow_libc.c)
$(preloaded):
	@mkdir -p $(@D)
	$(link) -shared -pthread -o $@ $^

# --- targets for people -------------------------------------------------------------------------

PYTHON ?= python3
jobs    = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# Installs by apt what is missing, and only asks once.
packages = @mkdir -p build && test build/packages-$(1) -nt tests/install-packages.sh || \
           { tests/install-packages.sh $(1) && touch build/packages-$(1); }

demo:
	$(call packages,build)
	@$(MAKE) --no-print-directory $(jobs) all
	@PYTHON='$(PYTHON)' testdata/demo/run.sh $(BUILD)/bin $(BUILD)/demo

check: all test-programs
	@$(PYTHON) tests/run.py --fast $(BUILD)

test:
	$(call packages,test)
	@$(MAKE) --no-print-directory $(jobs) WERROR=1 all test-programs
	@$(MAKE) --no-print-directory $(jobs) WERROR=1 VARIANT=asan all test-programs
	@$(MAKE) --no-print-directory $(jobs) WERROR=1 VARIANT=clang all test-programs
	@$(PYTHON) tests/run.py build build/asan

lint: all
	$(call packages,test)
	@$(PYTHON) tests/run.py --only lint $(BUILD)

bench: all $(aids)
	@$(PYTHON) tests/bench/bench.py --bin $(BUILD)/bin --data $(BUILD)/bench \
		--decode $(BUILD)/tests/bench/bench_decode $(BENCH)
	@$(PYTHON) tests/bench/bench_store.py --bin $(BUILD)/bin --aids $(BUILD)/tests/bench --data $(BUILD)/bench
	@$(PYTHON) tests/bench/bench_trend.py --bin $(BUILD)/bin --aids $(BUILD)/tests/bench --data $(BUILD)/bench

# Capture in each mode against the program alone and tracemalloc. BENCH_CAPTURE='--only trees --runs 3' for less.
$(BUILD)/tests/bench/forward_hooks.so: $(call object,tests/bench/capture/forward_hooks.c)
	@mkdir -p $(@D)
	$(link) -shared -o $@ $^ -ldl

bench-capture: all $(aids) $(BUILD)/tests/bench/forward_hooks.so
	@$(PYTHON) tests/bench/bench_capture.py --bin $(BUILD)/bin --data $(BUILD)/bench-capture \
		--hooks $(BUILD)/tests/bench/forward_hooks.so --measure $(BUILD)/tests/bench/measure $(BENCH_CAPTURE)

# How well snaptrend finds planted leaks, on seeds that no parameter was chosen on, and those of real programs.
# LEAKBENCH='--seeds 10000-10199' for all of them; the default takes some minutes.
leakbench: all $(aids)
	@$(PYTHON) tests/leakbench/leakbench.py --bin $(BUILD)/bin --writer $(BUILD)/tests/leakbench/write_series $(LEAKBENCH)
	@$(PYTHON) tests/leakbench/programs.py --bin $(BUILD)/bin

# The capture under fire, and under CPython's own tests: with each interpreter at hand, in each mode.
STRESS_SECONDS ?= 600
stress: all
	@$(PYTHON) tests/capture/stress.py --bin $(BUILD)/bin --seconds '$(STRESS_SECONDS)' $(STRESS)
	@$(PYTHON) tests/capture/estimates.py --bin $(BUILD)/bin $(ESTIMATES)
	@$(PYTHON) tests/capture/regression.py --bin $(BUILD)/bin $(REGRESSION)

# FUZZ_VARIANT=fastfuzz leaves out the sanitizers: several times as many runs, which see crashes and broken
# properties only.
FUZZ_RUNS    ?= 100000
FUZZ_SECONDS ?= 0
FUZZ_VARIANT ?= fuzz
fuzz:
	$(call packages,test)
	@$(MAKE) --no-print-directory $(jobs) VARIANT=$(FUZZ_VARIANT) fuzz-programs
	@FUZZ_RUNS='$(FUZZ_RUNS)' FUZZ_SECONDS='$(FUZZ_SECONDS)' tests/fuzz/run.sh build/$(FUZZ_VARIANT) $(FUZZ_TARGETS)

# Python's modules in a folder, for the python3 of the system.
compiled = test ! -x /usr/bin/python3 || \
           /usr/bin/python3 -c 'import compileall; compileall.compile_dir("$(1)", quiet=1, invalidation_mode=compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH)'

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(includedir)/snap $(DESTDIR)$(docdir)
	install -m 755 $(tools) $(DESTDIR)$(bindir)
	install -m 644 $(static) $(shared) $(sqlite_extension) $(DESTDIR)$(libdir)
	ln -sf $(notdir $(shared)) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(notdir $(shared)) $(DESTDIR)$(libdir)/libsnap.so
	$(call pkgconfig,$(PREFIX),$(libdir),$(includedir)) >$(DESTDIR)$(libdir)/pkgconfig/snap.pc
	install -d $(DESTDIR)$(agentdir)
	install -m 644 $(agent) $(DESTDIR)$(agentdir)
	@# Where Python may not keep there what it compiles, it would do so at each start of a program.
	-$(call compiled,$(DESTDIR)$(agentdir))
	install -m 644 $(headers) $(DESTDIR)$(includedir)/snap
	install -m 644 $(wildcard README.md LICENSE schema/*.md schema/*.sql) $(DESTDIR)$(docdir)
	for page in $(man_pages); do \
		install -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit 1; \
	done
	@# The loader's cache has to learn of the shared library; in a package that is the package's part.
	@if test -z '$(DESTDIR)' && test "$$(id -u)" = 0; then ldconfig; fi

uninstall:
	rm -f $(TOOLS:%=$(DESTDIR)$(bindir)/%)
	rm -f $(addprefix $(DESTDIR)$(libdir)/,libsnap.a libsnap.so $(SONAME) $(notdir $(shared) $(sqlite_extension)) pkgconfig/snap.pc)
	rm -rf $(DESTDIR)$(includedir)/snap $(DESTDIR)$(docdir) $(DESTDIR)$(agentdir)
	for page in $(man_pages); do rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done

clean:
	rm -rf build
