# The only door: everything that people and CI run is a target here. `make help` lists them.

# The distribution's Python where it will do: it is compiled with all optimisations, which one that was compiled on the machine (pyenv)
# often lacks, and Ansible is little else than Python that is started.
PYTHON ?= $(or $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3),python3)
INVENTORY ?= inventories/local
ARGS ?=
SCENARIO ?= default
URL ?= http://localhost:8080/pypi/stable

VENV := .venv
RUN := $(VENV)/bin
PLAYBOOK := $(RUN)/ansible-playbook --inventory $(INVENTORY)
# Ansible itself does not say what to type where a vault's password is missing.
VAULT_PASSWORD := $(findstring vault,$(ARGS))$(filter -J,$(ARGS))$(ANSIBLE_VAULT_PASSWORD_FILE)$(ANSIBLE_VAULT_IDENTITY_LIST)
play = @$(info $(PLAYBOOK) $(1))$(PLAYBOOK) $(1) || { code=$$?; \
  $(if $(VAULT_PASSWORD),,! grep --quiet --no-messages --recursive --extended-regexp '^\$$ANSIBLE_VAULT;|!vault' $(INVENTORY) || \
    echo "If something could not be decrypted: $(INVENTORY) has a vault and no password came. Add ARGS='--ask-vault-pass'" \
      "to be asked for it, or ARGS='--vault-password-file FILE', and run again." >&2;) exit $$code; }
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/$(RUN):$(PATH)

.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help pypi clients verify destroy migrate test test-long lint unit molecule docs screenshot bench install_pkgs install_test_pkgs build release \
        lock clean

help: ## List the targets
	@grep -hE '^[a-z_-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 20

pypi: install_pkgs ## Bring up a verified index (INVENTORY=inventories/local, ARGS='-K' for the sudo password, ARGS=--check)
	$(call play,up_pypi.yml $(ARGS))

clients: install_pkgs ## Set up the machines of the group pypi_clients, which install from an index, without touching the index
	$(call play,playbooks/clients.yml $(ARGS))

verify: install_pkgs ## Prove that the index works, changing nothing; all failures are listed
	$(call play,playbooks/verify.yml $(ARGS))

destroy: install_pkgs ## Take the index down and keep its data; PURGE=yes takes the data too
	@case '$(PURGE)' in yes|'') ;; *) echo "PURGE: got '$(PURGE)', allowed is 'yes' or nothing (data kept)." >&2; exit 2;; esac
	$(call play,playbooks/destroy.yml $(if $(PURGE),--extra-vars '{"pypi_server_purge": true}') $(ARGS))
	@test -z '$(PURGE)' || find build -depth -type d -empty -delete 2>/dev/null || test ! -e build

migrate: install_pkgs ## Copy every release to another index and compare all bytes: FROM=host TO=host (ARGS='-e @file' for another source)
	$(call play,playbooks/migrate.yml $(if $(FROM),-e migrate_from='$(FROM)') $(if $(TO),-e migrate_to='$(TO)') $(ARGS))

test: install_test_pkgs ## Everything CI runs: lint, laws, unit and system tests, the scenarios backends, fleet and tls, Vagrant
	$(RUN)/pytest tests --numprocesses 3 --no-loadscope-reorder --verbose

lint: install_test_pkgs ## Lint playbooks, roles and Python
	$(RUN)/pytest tests/lint

unit: install_test_pkgs ## Unit tests of the modules, with a real devpi-server too, and the laws of the repository
	$(RUN)/pytest tests/laws tests/unit tests/system/test_devpi_live.py tests/system/test_certificate_info_in_a_play.py

molecule: install_test_pkgs ## One molecule scenario: SCENARIO=default
	WHEELHOUSE_SCENARIOS=$(SCENARIO) $(RUN)/pytest tests/engine/test_molecule.py --log-cli-level=INFO

test-long: install_test_pkgs ## What an hour has no room for: other scenarios, the local journey, page cache, releases, ansible-test (hours)
	WHEELHOUSE_LONG=yes WHEELHOUSE_SCENARIOS='default tls fleet engine podman' $(RUN)/pytest tests/engine \
	  tests/system/test_ecosystem.py tests/system/test_refusals.py --log-cli-level=INFO

docs: install_test_pkgs ## Write docs/reference from the specifications of roles and modules
	$(RUN)/python tests/documentation.py

screenshot: install_pkgs ## Take docs/images/index.png of an index with packages: URL=http://localhost:8080/pypi/stable (takes Chromium)
	$(RUN)/python tests/screenshot.py $(URL) docs/images/index.png

bench: install_test_pkgs ## Measure against bare docker commands, plain nginx and the servers alone, as ratios (takes wrk and nginx too; PARTS=serving for some)
	PYTHONPATH=tests $(RUN)/python tests/bench/bench.py $(PARTS)

build: install_pkgs ## Build the collection's archive; what git ignores is not in it
	PYTHONPATH=tests $(RUN)/python tests/archive.py

release: install_test_pkgs ## Build the archive of a release and prove it: installed elsewhere, offline, deployed from (10 minutes)
	PYTHONPATH=tests $(RUN)/python tests/release.py

install_pkgs: $(VENV)/controller ## Set up the controller: a virtual environment with pinned requirements

install_test_pkgs: $(VENV)/tests ## Set up what the tests need

lock: install_test_pkgs ## Pin every requirements.in anew, with hashes
	for name in requirements tests/requirements tests/publishing/requirements execution-environment $(basename $(wildcard roles/container_image/files/*/requirements.in)); do \
	  case $$name in execution-environment) python=3.13;; *) python=3.11;; esac; \
	  $(RUN)/uv pip compile --quiet --universal --python-version $$python --generate-hashes --native-tls --no-header --no-annotate \
	    $$name.in --output-file $$name.txt || exit 1; \
	done

clean: ## Remove what the targets above left in the checkout, the virtual environment too
	rm -rf $(VENV) build .ansible .pytest_cache .ruff_cache

# A stamp is newer than its requirements once they are installed.
$(VENV)/controller: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than 3.11. Name a newer one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up the controller in $(VENV) (about a minute, once)."
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --requirement requirements.txt
	@touch $@

$(VENV)/tests: tests/requirements.txt $(VENV)/controller
	@echo "Setting up the tests in $(VENV)."
	$(RUN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --requirement tests/requirements.txt
	@touch $@
