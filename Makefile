# Two commands do everything on a fresh machine: `make demo` and `make test`. Each installs what it needs.

VENV ?= .venv
PY := $(VENV)/bin/python
PYTHON ?= python3
STAMP := $(VENV)/.installed
INSTALL := $(PY) -m pip install -q --disable-pip-version-check
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# From the distribution: virtual environments, capture filters, regexes, unpacking of benchmarks, live tests.
APT := python3-venv libpcap0.8 libpcre2-8-0 zstd iproute2

# Real peers of tests: a switch, a metrics server, a dissector. Tests that need them are skipped without.
PEERS := openvswitch-switch prometheus tshark

# Hundreds of processes are started here, and each would compile 640 modules of Python anew: 0.3 s of CPU.
unexport PYTHONDONTWRITEBYTECODE

# A kernel is compiled once, by one of two processes that meet in the middle (cold: 90 s of CPU), not by every test run.
KERNELS := $(VENV)/.kernels

# All tests of one file run in one process; `tests/conftest.py` puts the long files first.
PYTEST := $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: style lint types quick full kernels-up kernels-down
.PHONY: demo check test bench bench-live soak fuzz conformance rules clean system peers install forge

demo: install  ## replay the shipped capture of an attack and show the alerts
	$(VENV)/bin/xensor replay -S rules pcaps/demo.pcap

system:
	@if ldconfig -p | grep -q libpcap.so.0.8 && ldconfig -p | grep -q libpcre2-8 && $(PYTHON) -c 'import ensurepip' 2>/dev/null \
		&& command -v zstd >/dev/null && command -v tc >/dev/null; then :; \
	elif command -v apt-get >/dev/null; then \
		$(SUDO) apt-get -q update && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get -q install -y --no-install-recommends $(APT); \
	else echo "Xensor needs these Debian packages, and apt-get is not here to install them: $(APT)"; exit 1; fi

peers: | system
	@if command -v ovs-vsctl >/dev/null && command -v promtool >/dev/null && command -v tshark >/dev/null; then :; \
	elif command -v apt-get >/dev/null && $(SUDO) apt-get -q update && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
		RUNLEVEL=1 apt-get -q install -y --no-install-recommends $(PEERS); then :; \
	else echo "without these Debian packages some tests are skipped: $(PEERS)"; fi

# The tested versions, so that a linter's new rule breaks no gate; where they cannot be had, the newest.
$(STAMP): pyproject.toml .ci/constraints.txt | system
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -c .ci/constraints.txt -e '.[dev]' || { \
		echo "the versions in .ci/constraints.txt are not to be had here: taking the newest"; $(INSTALL) -e '.[dev]'; }
	$(PY) -m compileall -q sensor  # each start of someone who writes no bytecode would do it again: 0.3 s
	touch $@

install: $(STAMP)  ## everything into .venv, kernels compiled: a first start has only its rules to plan
	@$(MAKE) --no-print-directory -j 2 $(KERNELS)

# What is over at once comes first; types are checked beside the tests, so that neither core waits for the other.
check: $(STAMP)  ## everything quick: style, types, architecture, rules, unit and property tests
	@$(MAKE) --no-print-directory -j 2 -Otarget style lint $(KERNELS)
	@$(MAKE) --no-print-directory -j 2 types quick

test: $(STAMP) peers  ## all tests with all their examples, those on outside captures too where they are there
	@$(MAKE) --no-print-directory -j 2 -Otarget style lint $(KERNELS)
	@$(MAKE) --no-print-directory -j 2 types full

quick:
	$(PYTEST) --ignore tests/live -m "not slow and not live and not corpus"

full:
	TESTS=all $(PYTEST)

style:
	$(VENV)/bin/ruff check .

lint:
	$(VENV)/bin/xensor rules check --strict rules

types:
	$(PY) tests/typecheck.py

kernels-up:
	$(PY) tests/kernels.py

kernels-down:
	$(PY) tests/kernels.py --down

$(KERNELS): $(STAMP) $(shell grep -rlE 'numba|model\.jit' sensor --include='*.py')
	@$(MAKE) --no-print-directory kernels-up kernels-down
	touch $@

rules: install  ## run each shipped rule against its examples
	$(VENV)/bin/xensor rules test rules

conformance: install  ## alerts beside those of a real Suricata, case by case
	$(PY) tests/conformance

bench: install  ## cost against a baseline in the same run
	$(PY) tests/bench/cost.py

bench-live: install  ## packets lost and CPU per packet at top speed over a mirrored bridge
	@command -v tcpreplay >/dev/null || DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get -q install -y --no-install-recommends tcpreplay
	PYTHONPATH=tests:tests/live $(PY) tests/bench/live.py $(ARGS)

soak: install  ## ten minutes of load (ARGS="--seconds N"): nothing may grow, and counters must add up
	PYTHONPATH=tests:tests/live:tests/bench $(PY) tests/soak/soak.py $(ARGS)

forge: install  ## make the shipped captures anew
	$(PY) -m pcaps

fuzz: install  ## ten minutes of hostile input (ARGS="--seconds N NAME…") for every parser and the pipeline
	$(PY) tests/fuzz $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
