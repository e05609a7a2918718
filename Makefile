# Everything a clone needs: Python 3.11 or newer, make, and a package index. `make help` lists the targets.

VENV ?= .venv
PYPGX ?= build/pypgx/bin/pypgx
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# The first interpreter that is new enough and can make an environment; `make PYTHON=/path/to/python` chooses one.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$candidate"; break; }; done)

CARRIER := sample_vcfs/NA18526.e3-e4.GRCh38.vcf
ABSENT := sample_vcfs/absent-sites.GRCh38.vcf

.DEFAULT_GOAL := help
.PHONY: help demo test test-all torture fuzz lint bench docs dist clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

$(STAMP): pyproject.toml constraints.txt hatch_build.py
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: found no Python >= 3.11 with venv and ensurepip. Install one (on Debian and Ubuntu:" \
			"python3 and python3-venv), or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) hatchling setuptools wheel # what builds pgx, and what builds a dependency that comes as source only
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

$(DOCS_STAMP): $(STAMP)
	@$(PIP) --no-build-isolation --editable '.[docs]'
	@touch $@

demo: $(STAMP) ## annotate two sample files and print their reports
	@echo '$$ pgx annotate $(CARRIER)'
	@$(BIN)/pgx annotate $(CARRIER)
	@printf '\n\n%s\n' '$$ pgx annotate $(ABSENT)'
	@$(BIN)/pgx annotate $(ABSENT)
	@printf '\n\nWhat else to try:\n'
	@printf '%s\n' \
		'  $(BIN)/pgx annotate $(CARRIER) -f json' \
		'  $(BIN)/pgx annotate sample_vcfs/HG00150.e2-e4.GRCh37.vcf      both sites heterozygous, phase unknown' \
		'  $(BIN)/pgx annotate sample_vcfs/eight-people.GRCh38.vcf.gz -f tsv' \
		'  $(BIN)/pgx annotate sample_vcfs/eight-people.GRCh38.vcf.gz -s NA19146' \
		'  $(BIN)/pgx annotate $(ABSENT) --absent-sites reference' \
		'sample_vcfs/README.md tells what each sample file shows.'

test: $(STAMP) ## run the tests, without the slow ones (make test PYTEST_ARGS="-k name")
	@$(BIN)/python -m pytest -n auto -m "not slow" $(PYTEST_ARGS)

test-all: $(STAMP) ## run every test
	@$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

torture: $(STAMP) ## try damaged, forged and exhausting inputs (make torture SECONDS=600)
	@$(BIN)/python tools/torture.py --seconds $(or $(SECONDS),60)

fuzz: $(STAMP) ## fuzz what reads strangers' bytes (make fuzz SECONDS=600); with atheris where it installs
	@$(PIP) atheris 2>/dev/null || echo 'atheris does not install here; hypothesis makes the inputs'
	@$(BIN)/python tools/fuzz.py --seconds $(or $(SECONDS),60)

lint: $(STAMP) ## check style, format, types, the direction of imports, and the evidence
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pgx evidence check
	$(BIN)/python tools/article_coverage.py
	$(BIN)/pgx evidence check examples/evidence

$(PYPGX):
	@{ $(PYTHON) -m venv build/pypgx && build/pypgx/bin/pip install -q 'pypgx==0.27.0' 'pandas<3'; } >/dev/null 2>&1 \
		|| echo 'PyPGx does not install here; its columns stay empty'

# Continues where one misses its goal, and names it at the end.
bench: $(STAMP) $(if $(QUICK),,$(PYPGX)) ## measure for most of an hour what the docs show, and write it there (make bench QUICK=1)
	@failed=; begin=$$(date +%s); \
	for script in $(or $(BENCH),$(wildcard benchmarks/bench_*.py)); do \
		echo "== $$script"; start=$$(date +%s); \
		PYPGX=$(PYPGX) $(BIN)/python "$$script" $(if $(QUICK),--quick,--write) || failed="$$failed $$script"; \
		echo "== $$script took $$(($$(date +%s) - start)) s"; \
	done; \
	echo "== all took $$(($$(date +%s) - begin)) s"; \
	[ -z "$$failed" ] || { echo "A goal was missed, or it failed:$$failed" >&2; exit 1; }

docs: $(DOCS_STAMP) ## build the documentation into build/docs
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo 'Open build/docs/index.html'

dist: $(STAMP) ## build the source archive and the wheel into dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@ls dist

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage reference/toml.cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
