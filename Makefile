# Two commands do everything, set-up included: `make sandbox` and `make test`.
SHELL := /bin/bash
UV = UV_PROJECT_ENVIRONMENT=.venv .tools/bin/uv run --no-sync

.PHONY: sandbox test lint setup docs faults soak

sandbox: setup  ## the main job on one machine, without an AWS account
	@$(UV) ping8 sandbox up

test: setup  ## every test; the sandbox's own where the machine can
	@.ci/test

lint: setup  ## format, lint, types, imports, Lua
	@.ci/lint

docs: setup  ## write the generated parts of the documentation again
	@$(UV) python -m policy.settings.reference
	@$(UV) python -m policy.metrics.reference
	@$(UV) python -m ops.doctor.document
	@$(UV) python -m components.firewall
	@$(UV) python -m ops.init

faults: setup  ## the 34 faults of docs/durability.md (ARGS: for pytest)
	@$(UV) python -m tests.faults $(ARGS)

soak: setup  ## random faults while mail flows (ARGS: --minutes 5 --seed 1 --root /opt/kumomta)
	@$(UV) python -m benchmarks.soak $(ARGS)

setup:  ## the virtual environment (.venv), which plain `pulumi` needs too
	@.ci/setup
