# The two commands that matter are `make demo` and `make test`.
.PHONY: demo test lint fmt
.NOTPARALLEL:

# A day of a small shop in a minute, with an emulated carrier; nothing leaves this machine.
demo:
	cargo run --release --bin trunkline -- demo

# Everything that must hold before a change goes in, on one build of the dev profile; the test with planted faults has its own.
test:
	scripts/install-test-deps.sh
	$(MAKE) lint
	if command -v cargo-nextest >/dev/null; then cargo nextest run --workspace; else cargo test --workspace; fi
	cargo run --quiet --bin trunkline -- simulate --seeds 200
	cargo run --quiet --bin trunkline -- simulate --seeds 20 --profile rough
	cargo test -p trunkline-sim --features planted --test planted -- --nocapture
	node tests/browser/run.mjs
	tests/.venv/bin/python tests/sdk/test_sdk.py
	node tests/sdk/test_sdk.mjs
	tests/.venv/bin/python tests/api/run.py

# What no test run finds: form, lints, the project's own rules, generated files.
lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo xtask tidy
	cargo xtask gen --check

# Puts form and generated files right.
fmt:
	cargo fmt --all
	cargo xtask gen
