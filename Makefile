# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every target sets up what it needs; a second run finds it there. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# A recipe that fails halfway leaves no target behind that looks up to date.
.DELETE_ON_ERROR:

# Which Debian releases the scenarios run on, and which scenarios: SCENARIOS="incident ..." runs only those.
SUITES ?= trixie bookworm
SCENARIOS ?=
# And where scenario `entries` runs as well when all do: on the oldest kernel.
OLDEST ?= bullseye

VENV := .venv
BUILD := .build
# Ansible and Python find the collection by its name through this folder, which holds a link to the work tree.
COLLECTIONS := $(CURDIR)/$(BUILD)/collections
LINK := $(COLLECTIONS)/ansible_collections/netops/conntrack

export SUITES OLDEST
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PYTHONPATH := $(COLLECTIONS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Targets that run side by side are called with BESIDE=1, and then say in front of every line which one speaks.
# sed outlives Ctrl-C, so that what a target does last still has somewhere to write.
as_one_of_many = $(if $(BESIDE), 2>&1 | (trap '' INT; exec sed -u 's/^/$@ | /'))

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: demo
demo: $(VENV)/core.stamp $(LINK) vm-tools ## watch a real kernel's full table get fixed, in a throw-away VM
	@tools/demo

# Units while the images are built, since what they find is known in half a minute. Then the scenarios, and what else there
# is one after the other beside them, with a lower priority: the scenarios are what takes longest. The shell runs these two,
# because make was seen to begin the second only when the first had ended. The checks are a group of processes of their own,
# which is ended with the rest: Ctrl-C does not reach what a shell runs in the background.
.PHONY: test
test: ## every test, from nothing: unit, lint, sanity, and the scenarios on SUITES
	@python3 tools/parts.py clear
	@tools/setup python vm lint namespaces browser
	@trap '[ -z "$${checks:-}" ] || kill -- "-$$checks" 2>/dev/null || true; python3 tools/parts.py show' EXIT; \
	$(MAKE) --no-print-directory --jobs=2 BESIDE=1 images unit $(VENV)/test.stamp && { \
	    setsid $(MAKE) --no-print-directory BESIDE=1 checks & checks=$$!; status=0; \
	    $(MAKE) --no-print-directory BESIDE=1 molecule || status=1; \
	    wait $$checks || status=1; exit $$status; }

.PHONY: checks
checks:
	@status=0; for check in namespaces pages lint sanity; do nice $(MAKE) --no-print-directory $$check || status=1; done; exit $$status

# In memory: the tests flush some ten thousand files to what they take for a disk.
unit fuzz: export PYTEST_DEBUG_TEMPROOT := $(firstword $(wildcard /dev/shm /tmp))
# A worker for each processor; one that has nothing left to do takes tests of another.
PYTEST_WORKERS := --numprocesses=auto --maxprocesses=8 --dist=worksteal

.PHONY: unit
unit: $(VENV)/unit.stamp $(LINK) ## the unit tests, in seconds
	@python3 tools/parts.py run unit pytest $(PYTEST_WORKERS) tests/unit $(as_one_of_many)

.PHONY: fuzz
fuzz: $(VENV)/unit.stamp $(LINK) ## the property tests of unit with a hundred times the examples, in minutes
	@HYPOTHESIS_PROFILE=fuzz pytest $(PYTEST_WORKERS) tests/unit -m hypothesis

# As root, or by sudo; without either it says so and leaves these tests out.
.PHONY: namespaces
namespaces: $(VENV)/unit.stamp $(LINK) ## the tests on this machine's own kernel, in network namespaces; needs root
	@tools/setup namespaces
	@python3 tools/parts.py run namespaces tools/as_root pytest -rs tests/namespaces $(as_one_of_many)

.PHONY: pages
pages: $(VENV)/pages.stamp $(LINK) ## the playbooks for people, and the report's page in a browser without a screen
	@tools/setup browser
	@python3 tools/parts.py run pages pytest tests/pages $(as_one_of_many)

# Needs Debian's package lists, and a machine whose kernel tracks connections.
.PHONY: rules
rules: ## the Prometheus rules, by promtool and against node_exporter's own metrics
	@python3 tools/parts.py run rules tools/rules $(as_one_of_many)

.PHONY: lint
lint: $(VENV)/test.stamp $(LINK) lint-tools ## ansible-lint, and shellcheck on the tools
	@python3 tools/parts.py run lint tools/lint $(as_one_of_many)

.PHONY: sanity
sanity: $(VENV)/test.stamp lint-tools ## all of ansible-test sanity
	@python3 tools/parts.py run sanity tools/sanity $(as_one_of_many)

.PHONY: molecule
molecule: $(VENV)/test.stamp $(LINK) vm-tools ## the scenarios on VMs: SUITES="bullseye sid" SCENARIOS="incident"
	@tools/molecule $(SCENARIOS) $(as_one_of_many)

# Also tries KVM, where that has not been done since this computer booted.
.PHONY: images
images: vm-tools
	@python3 tools/parts.py run images tools/vm accelerator $(SUITES) $(OLDEST) $(as_one_of_many)

.PHONY: bench
bench: $(VENV)/bench.stamp $(LINK) vm-tools ## how long a run takes, beside what you would run instead
	@python benchmarks/compare.py
	@$(MAKE) --no-print-directory bench-entries

.PHONY: bench-entries
bench-entries: $(VENV)/core.stamp $(LINK) ## what reading a million entries costs, on this machine's own kernel; needs root
	@tools/setup namespaces
	@tools/as_root python benchmarks/entries.py

.PHONY: pictures
pictures: $(VENV)/pages.stamp $(LINK) ## the README's pictures of a report, from a real run; needs root
	@tools/setup namespaces browser
	@tools/as_root python tools/pictures.py

.PHONY: build
build: $(VENV)/core.stamp ## the collection's archive, to install with ansible-galaxy
	@ansible-galaxy collection build --force --output-path $(BUILD)

.PHONY: destroy
destroy: ## end and remove every test machine of this work tree
	@tools/vm destroy --all

.PHONY: clean
clean: destroy ## remove everything that was built here; base images stay in the cache
	@rm -rf $(BUILD) $(VENV)

# What is installed: programs by tools/setup, each time, since looking takes no time; Python packages when their list
# changed. The lists stand on each other, also so that no two pips run at once.

.PHONY: vm-tools lint-tools
vm-tools:
	@tools/setup vm
lint-tools:
	@tools/setup lint

$(VENV)/bin/pip:
	@tools/setup python
	@python3 -m venv $(VENV)

$(VENV)/%.stamp: requirements/%.txt | $(VENV)/bin/pip
	@echo "pip: installing what $< lists"
	@pip install --quiet --requirement $<
	@touch $@
$(VENV)/unit.stamp: $(VENV)/core.stamp
$(VENV)/pages.stamp: $(VENV)/unit.stamp
$(VENV)/test.stamp: $(VENV)/pages.stamp
$(VENV)/bench.stamp: $(VENV)/core.stamp

$(LINK):
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR) $@
