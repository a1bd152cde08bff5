# Every target works on a fresh machine: `.venv` is made when it is missing or when the requirements change.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Two workers with one thread each; a file stays with one worker, so that its fixtures are made once.
TEST := OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist loadscope

.PHONY: demo test test-all bench docs lint dist clean help

help:
	@echo "make demo      export the embedded demo checkpoint, score clean and degraded scenes, draw a picture"
	@echo "make test      the tests that end in minutes"
	@echo "make test-all  those, all drawn examples, and the slow ones (training, soak, fresh environments)"
	@echo "make bench     the latency benchmarks and their report, in bench/; flags go in ARGS=..."
	@echo "make docs      the documentation as a site, in site/; needs no network once installed"
	@echo "make lint      ruff, mypy --strict, and the import directions of pyproject.toml"
	@echo "make dist      wheels and source archives of both distributions, in dist/; the same bytes each time"

$(STAMP): pyproject.toml distributions/export/pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "installing torch and the other packages into $(VENV): some minutes, once"
	$(RUN) -m pip install --quiet --upgrade 'pip>=25.1'  # the first that knows --group
	$(RUN) -m pip install --quiet --constraint constraints.txt torch
	$(RUN) -m pip install --quiet --constraint constraints.txt --group dev \
		--editable '.[cpu,replay,signing,hub,video,fleet]' --editable './distributions/export[guide]'
	touch $(STAMP)

demo: $(STAMP)
	$(RUN) examples/demo.py

test: $(STAMP)
	$(TEST) -m "not slow" --hypothesis-profile quick

test-all: $(STAMP)
	$(TEST)

bench: $(STAMP)
	mkdir -p bench
	$(RUN) -m pytest benchmarks --timeout 0 --benchmark-only --benchmark-json bench/results.json $(ARGS)
	$(RUN) -m benchmarks.report bench/results.json --out bench

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

dist: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
dist: export PIP_CONSTRAINT = $(CURDIR)/constraints.txt
dist: $(STAMP)
	$(RUN) -m build --outdir dist .
	$(RUN) -m build --outdir dist distributions/export

clean:
	rm -rf $(VENV) demo build dist site *.egg-info
