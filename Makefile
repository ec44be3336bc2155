# Two commands on a fresh machine: `make demo` and `make test`. Each sets up all it needs by itself.

PYTHON ?= python3
WORKERS ?= auto
export PYTHON

# A system that got a new Python leaves an environment behind that cannot start.
$(shell .venv/bin/python -c '' 2>/dev/null || rm -f .venv/*-stamp)

.NOTPARALLEL:
.PHONY: help setup demo test soak lint bench lock clean

help:
	@echo 'make demo    start a network of real daemons here, and walk through what it does'
	@echo 'make test    run all tests but the long ones (ARGS="-k consent" selects some)'
	@echo 'make soak    run the long tests'
	@echo 'make lint    format, style, types and import rules'
	@echo 'make bench   measure against the goals (NAME=... for one benchmark; NAME=growth is not among the others)'
	@echo 'make setup   only prepare .venv, with all tools'
	@echo 'make lock    choose new versions of all dependencies'
	@echo 'make clean   remove everything that was made here'

setup: .venv/dev-stamp

demo: .venv/run-stamp
	.venv/bin/placet demo $(ARGS)

# One worker runs the tests that share a group (such as "system") one after the other.
test: .venv/dev-stamp
	.venv/bin/python -m pytest -m 'not soak' -n $(WORKERS) --maxprocesses 4 --dist loadgroup $(ARGS)

soak: .venv/dev-stamp
	.venv/bin/python -m pytest -m soak --timeout 3600 $(ARGS)

lint: .venv/dev-stamp
	@failed=; for check in 'ruff format --check' 'ruff check' mypy 'lint-imports --no-logo'; do \
		echo "== $$check"; .venv/bin/$$check || failed="$$failed [$$check]"; \
	done; \
	if [ -n "$$failed" ]; then echo "lint failed:$$failed"; exit 1; fi

bench: .venv/dev-stamp
	.venv/bin/python -m tests.benchmarks $(NAME)

# The locks hold hashes and no addresses: whoever installs decides where from.
COMPILE = .boot/bin/uv --quiet pip compile --universal --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --python-version 3.11 --upgrade

lock: .venv/run-stamp
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) pyproject.toml --all-extras --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --group boot --output-file requirements-boot.lock

clean:
	rm -rf .venv .boot build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run-stamp: requirements.lock requirements-boot.lock pyproject.toml .ci/setup
	.ci/setup run
	@touch $@

# What tests need includes what a node needs.
.venv/dev-stamp: requirements-dev.lock requirements.lock requirements-boot.lock pyproject.toml .ci/setup
	.ci/setup dev
	@touch .venv/run-stamp $@
