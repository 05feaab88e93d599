# shellcheck shell=bash
# What the scripts beside this file share; sourced, never run. It goes to the repository's root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$@"; exit 1; }

# python_is OPERATOR VERSION COMMAND: python_is '>=' '3, 11' python3. A pyenv shim may be on the
# path and still not run.
python_is() { "$3" -c "import sys; sys.exit(not sys.version_info[:2] $1 ($2))" 2>/dev/null; }

# find_python: prints the Python to use: $PYTHON, or the first that is new enough.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if python_is '>=' '3, 11' "$candidate"; then echo "$candidate"; return; fi
    done
    die "edged needs Python 3.11 or newer, and ${PYTHON:-python3} is not." \
        "Install one, or name one: PYTHON=/path/to/python3.12 $0"
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# need_packages PACKAGE...: install Debian packages as root or with sudo.
need_packages() {
    local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2)
    command -v apt-get >/dev/null ||
        die "This is missing (by Debian's names): $*. Install it and run this again."
    ((EUID == 0)) || command -v sudo >/dev/null ||
        die "This is missing: $*. As root, run 'apt-get install $*', then run this again."
    say "installing Debian packages: $*"
    # Standard output is the log of dpkg; what goes wrong is on standard error.
    { as_root "${quiet[@]}" update && as_root "${quiet[@]}" install --yes --no-install-recommends "$@"; } \
        >/dev/null || die "apt-get could not install $*; its message is above."
}

# environment DIR PYTHON INPUTS PIP-ARGUMENT...: a virtual environment in DIR that holds what pip is
# told to install. It is brought up to date when a file in INPUTS (a list with blanks between) has
# changed, and made anew for another Python or where the repository has moved.
environment() {
    local dir=$1 python=$2 inputs=$3 made_for installed
    shift 3
    made_for="$PWD $("$python" -VV)"
    if [[ $(cat "$dir/made-for" 2>/dev/null) != "$made_for" ]]; then
        # Debian's python3 comes without the part of venv that puts pip into an environment.
        "$python" -c 'import ensurepip' 2>/dev/null || need_packages "$(basename "$python")-venv"
        say "making $dir"
        rm -rf "$dir"
        "$python" -m venv "$dir"
        echo "$made_for" >"$dir/made-for"
    fi
    # shellcheck disable=SC2086 # a list
    installed="$* $(find $inputs -type f -not -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 cat | sha256sum)"
    if [[ $(cat "$dir/installed" 2>/dev/null) != "$installed" ]]; then
        say "installing into $dir"
        "$dir/bin/python" -m pip install --quiet --quiet --disable-pip-version-check "$@"
        echo "$installed" >"$dir/installed"
    fi
}

# developer_environment: .venv, or .venv-3.12 where $PYTHON asks for that. Sets `venv` to its name.
developer_environment() {
    local python
    python=$(find_python)
    venv=.venv
    [[ -z ${PYTHON:-} ]] ||
        venv+=-$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
    environment "$venv" "$python" pyproject.toml --editable '.[dev]'
    # As an installation has it: edged itself writes no bytecode, and would compile at each start.
    "$venv/bin/python" -m compileall -q edged
}
