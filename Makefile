# Two commands on a fresh machine: `make demo` and `make test`. Each calls `make setup` first.
SHELL := /bin/sh
VENV := .venv
# As many test workers as cores (.ci/run takes one more, since long tests often wait): the spinning threads of OpenMP would
# only stand in each other's way. No test is about a power cut, so none waits for the disk.
TEST_WORKERS ?= 2
# What each test cost is kept in var/durations, in a file of the target's name; `make durations` shows the dearest.
KEPT = DURATIONS=$@$(if $(filter test,$@),-$(PART))
PYTEST = $(KEPT) OMP_NUM_THREADS=1 DATABASE_SYNCHRONOUS=NORMAL .venv/bin/python -m pytest -n $(TEST_WORKERS) --dist worksteal -q
# Spark 4.1 runs on Java 17 and 21; where there are several, 17 is taken.
SPARKS_JAVA = $(or $(JAVA_HOME),$(firstword $(wildcard /usr/lib/jvm/java-17-openjdk* /usr/lib/jvm/java-21-openjdk*)))
PY := $(VENV)/bin/python
# Sandboxes of agents set it. Without bytecode each process that a test starts compiles a thousand modules anew.
unexport PYTHONDONTWRITEBYTECODE
SERVE ?= $(shell test -t 0 && test -t 1 && echo 1 || echo 0)
PORT ?= 8000

SBOM ?= var/sbom.json

.PHONY: help audit sbom setup warm clients engines check lint format test test-database test-engines test-deploy fast slow durations demo static-demo serve worker bench bench-quick fuzz proofs hard lock messages clean test-docs docs notebooks

help:  ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.ready locale/ko/LC_MESSAGES/django.mo  ## make .venv, install the locks, prepare the database
	@$(PY) manage.py migrate -v0 && echo "setup: ready ($$($(PY) --version), database migrated)"

$(VENV)/.ready: requirements.txt requirements-dev.txt tools/setup.sh
	@sh tools/setup.sh $(VENV)

locale/ko/LC_MESSAGES/django.mo: locale/ko/LC_MESSAGES/django.po $(VENV)/.ready
	@$(VENV)/bin/pybabel -q compile --domain=django --directory=locale

clients: setup  ## install the published clients that tests/clients drives
	@sh tools/clients.sh

engines: setup  ## make .venv-spark, with Spark and ClickHouse, for test-engines
	@sh tools/engines.sh

# Whatever starts a worker would compile for a minute otherwise, each time anew where the worker is ended before.
warm: setup  ## compile once what workers compile when they start
	@DJANGO_SETTINGS_MODULE=insight_site.settings $(PY) -c "import django; django.setup(); from runs.queue import worker; worker.needs_warming() and worker.warm_up()"

STYLES := 'insight_site/static/**/*.{css,js}' 'templates/**/*.css' 'tools/docs_site/theme/**/*.css'
READY := setup
# Beside the tests, since mypy alone would leave the second core idle; what lint says comes at the end, whole.
check: setup  ## lint, types, import contracts, fast tests with coverage: each commit passes this
	@said=$$(mktemp); trap 'rm -f $$said' EXIT; $(MAKE) --no-print-directory READY= lint >$$said 2>&1 & lint=$$!; \
	$(MAKE) --no-print-directory READY= fast; tests=$$?; wait $$lint; found=$$?; cat $$said; exit $$((tests | found))

# mypy takes a minute on one core when its cache is cold; the others have the second core meanwhile. Both are heard out.
lint: $(READY)  ## ruff, djhtml, mypy strict, import contracts, nothing unused; pages, words and licences
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/djhtml --check --tabwidth 2 templates insight_site/templates
	@types=$$(mktemp); trap 'rm -f $$types' EXIT; $(VENV)/bin/mypy . >$$types 2>&1 & mypy=$$!; \
	echo "$(VENV)/bin/lint-imports, vulture, tools.unused, tools.check; beside them mypy"; \
	$(VENV)/bin/lint-imports --no-cache && $(VENV)/bin/vulture && $(PY) -m tools.unused && $(PY) -m tools.check; others=$$?; \
	wait $$mypy; found=$$?; cat $$types; exit $$((others | found))

# Prettier is fetched by npx, so it needs Node and the network: `lint` asks for neither.
format: $(READY)  ## lay out Python (ruff), templates (djhtml), style sheets and scripts (Prettier, through npx)
	$(VENV)/bin/ruff format .
	$(VENV)/bin/djhtml --tabwidth 2 templates insight_site/templates
	npx --yes prettier@3.10.1 --print-width 120 --write --log-level warn $(STYLES)

audit: $(READY)  ## bandit over the code, pip-audit over the lock (says so where the service can't be reached)
	$(PY) -m tools.audit

sbom: $(READY)  ## what is shipped, as CycloneDX: SBOM=var/sbom.json
	@sh tools/own_venv.sh sbom
	@mkdir -p $(dir $(SBOM)) && .venv-sbom/bin/cyclonedx-py requirements requirements.txt --sv 1.6 --of JSON \
	    --output-reproducible -o $(SBOM) && echo "sbom: $(SBOM)"

fast: $(READY)  ## the fast tests, with coverage of the pure modules
	$(PYTEST) -m "not slow and not proof" --cov --cov-report=
	@$(VENV)/bin/coverage report --skip-covered --fail-under=95

PART ?= all
PART_all :=
PART_browser := tests/browser -m "not proof"
# Without what `make test-database` runs too: a site in production has PostgreSQL. `make check` has SQLite.
PART_rest := --ignore=tests/browser -m "(not django_db or once) and not proof"

test: clients warm  ## the whole test suite; PART=browser or PART=rest for one half of it
	$(PYTEST) $(PART_$(PART))

test-database: clients warm  ## the tests that meet the database, on DATABASE_URL
	$(PYTEST) --ignore=tests/browser -m "django_db and not once and not proof"

# Collecting the other 7,000 tests, only to leave them out, takes half a minute.
ENGINES := tests/engines tests/events
ENGINES_MARK ?= engines

test-engines: engines clients warm  ## the tests on Spark (two processes, Java 17 or 21), on ClickHouse and on a store in S3
	$(KEPT) OMP_NUM_THREADS=1 JAVA_HOME="$(SPARKS_JAVA)" .venv-spark/bin/python -m pytest -q -m "$(ENGINES_MARK)" $(ENGINES)

DEPLOY_MARK ?= deploy

test-deploy: clients  ## the image and what compose starts, in chroots on this machine: root, debootstrap, PostgreSQL
	$(KEPT) OMP_NUM_THREADS=1 .venv/bin/python -m pytest -q -s -m "$(DEPLOY_MARK)" tests/deploy

docs: setup  ## the documentation site, in both languages: var/docs/site/index.html; every link is tried
	@sh tools/own_venv.sh docs
	$(PY) -m tools.docs_site

test-docs: docs clients warm  ## the built documentation in a browser, and the tutorials followed from a fresh checkout to their end
	$(KEPT) OMP_NUM_THREADS=1 .venv/bin/python -m pytest -q -m docs tests/docs_site
	$(KEPT)-tutorials OMP_NUM_THREADS=1 .venv/bin/python -m pytest -q -m docs tests/insight_client tests/tutorials

durations: $(READY)  ## the 30 dearest tests of the last runs, in wall and processor seconds
	@$(PY) -m tests.durations

slow: clients warm  ## only the slow tests
	$(PYTEST) -m slow

demo: setup  ## the whole loop on made-up users: truth against found, and a site to look at; SERVE=1 serves it
	$(PY) manage.py demo --fresh --with-users
	@if [ "$(SERVE)" = 1 ]; then $(MAKE) --no-print-directory serve; fi

# A site of its own, so that nobody's data are shown: the one that `make serve` serves isn't touched.
RECORDED := DATABASE_URL=sqlite:///$(CURDIR)/var/recorded/site.sqlite3 EVENTS_URL=$(CURDIR)/var/recorded/events EXPLORE_DIR=$(CURDIR)/var/recorded/explore
STATIC ?= var/static-demo
DOCS ?= ../

static-demo: setup  ## the demo's pages as files in STATIC=var/static-demo, without a server; DOCS=../ is where the documentation lies
	@mkdir -p var/recorded && $(RECORDED) $(PY) manage.py migrate -v0 && $(RECORDED) $(PY) manage.py demo --fresh
	@$(RECORDED) $(PY) manage.py static_demo $(STATIC) --docs $(DOCS)

serve: setup  ## the site on localhost and its worker; both end together
	@echo "serve: http://127.0.0.1:$(PORT)/ (Ctrl-C ends it)"
	PYTHON=$(PY) PORT=$(PORT) $(VENV)/bin/honcho start --no-prefix

worker: setup  ## the worker alone: requested and scheduled work
	$(PY) manage.py worker

SECONDS ?= 120

fuzz: setup  ## throw bytes at every parser, SECONDS=120 each, two at once; docs/fuzzing.md
	$(PY) -m tests.fuzz --seconds $(SECONDS) --write

bench-quick: setup  ## measure small sizes beside what one would pick instead, at most eight minutes; docs/performance.md
	$(PY) -m benchmarks.jobs --size quick --write

bench: setup  ## the same at full size, and the open load up to the knee: hours, on a machine without other work
	$(PY) -m benchmarks.jobs --size full --write; code=$$?; $(PY) -m benchmarks.knee --write && exit $$code

proofs: setup  ## write what our methods find in made-up worlds: verdicts, policy, calibration, peers, audit, other methods in docs/
	$(PY) benchmarks/verdicts.py --seeds 20 --write docs/verdicts.md
	$(PY) benchmarks/causes/policy.py --write docs/policy.md
	$(PY) benchmarks/calibration.py --write docs/calibration.md
	$(PY) benchmarks/peers.py --write docs/peers.md
	$(PY) benchmarks/audit_figures.py --write
	$(PY) -m benchmarks.aha_worlds --seeds 20 --write docs/aha_worlds.md

hard: setup  ## kill and break a site under load for half an hour, as root on Debian; docs/reliability.md
	$(PY) -m benchmarks.hard --size full --write

notebooks: setup  ## run docs/notebooks against a site of their own, and keep what they show
	@sh tools/own_venv.sh docs
	$(PY) -m tools.notebooks

messages: setup  ## bring the Korean catalogue up to date with the code
	$(PY) -m tools.messages

lock: setup  ## compile requirements*.in into locks with hashes
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements.in -o requirements.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-dev.in -o requirements-dev.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-s3.in -o requirements-s3.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-pdf.in -o requirements-pdf.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-spark.in -o requirements-spark.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-clickhouse.in -o requirements-clickhouse.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-iceberg.in -o requirements-iceberg.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header tests/engines/requirements.in -o tests/engines/requirements.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-otel.in -o requirements-otel.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-docs.in -o requirements-docs.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header requirements-sbom.in -o requirements-sbom.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header tests/clients/requirements.in -o tests/clients/requirements.txt
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --python-version 3.12 --no-annotate --no-header deploy/uv.in -o deploy/uv.txt

clean:  ## remove what setup and the demo made
	rm -rf $(VENV) .venv-clients .venv-spark .venv-docs .venv-sbom tests/clients/node_modules var static_root
