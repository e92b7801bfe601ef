# Short names for the commands of this repository; each is also a plain command. `just` alone lists them.

_list:
    @just --list --unsorted

# The inner loop: formatting, lints, unit and integration tests
quick:
    tests/run --quick

# Everything that continuous integration checks
test:
    tests/run

# The airline demo: `just demo --seconds 30`
demo *args:
    cargo run --locked --release -p sinew-examples --bin airline -- {{ args }}

# Side by side with the peers: `just versus --help`
versus *args:
    benches/versus {{ args }}

# The same under faults, Envoy with them: `just mesh-versus --help`
mesh-versus *args:
    benches/mesh-versus {{ args }}

# The API docs, in a browser
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --open

# Dependencies, with the cargo-deny that tests/run fetched; `just deny advisories` needs the network
deny *checks="bans licenses sources":
    PATH="$PATH:${CARGO_TARGET_DIR:-target}/tools/bin" cargo deny --locked check {{ checks }}
