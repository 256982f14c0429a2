# `make run` and `make test` create .venv, and update it when the requirements change.
# PYTHON=... chooses its interpreter; ARGS=... is passed to app.py or pytest (ARGS="-n 0" runs tests in one process).

.PHONY: run test lint readme

run: .venv/.installed
	.venv/bin/python app.py $(ARGS)

# Two processes of one thread each; the tests of a file stay in one process because they share fixtures.
test: export OMP_NUM_THREADS = 1
test: .venv/.installed-dev
	.venv/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

# Fix the style, then run the checks of tests/test_repository.py.
lint: .venv/.installed-dev
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .
	.venv/bin/python -m pyright
	.venv/bin/lint-imports

# Update the generated parts of the Markdown files.
readme: .venv/.installed-dev
	.venv/bin/cog -r -I . README.md CONTRIBUTING.md

.venv/.installed: .venv/bin/python requirements.txt
	.venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	.venv/bin/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	touch $@

.venv/bin/python:
	@for python in $(PYTHON) python3.12 python3.11 python3 python; do \
		if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; \
		then echo "Making .venv with $$($$python --version)"; $$python -m venv --clear .venv; exit; fi; \
	done; \
	echo "No Python 3.11 or 3.12 with its venv module was found. Get one, then try again:" >&2; \
	echo "  Debian, Ubuntu: sudo apt install python3-venv    macOS: brew install python@3.12    others: python.org" >&2; \
	echo "or name one that is not on the path: make PYTHON=/where/it/is/python3.12" >&2; \
	exit 1
