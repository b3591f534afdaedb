# Shared by the scripts: messages, Debian packages, and packages from PyPI. A script sets NAME to what its messages start with.

say() { echo "$NAME: $*" >&2; }
fail() { say "$*"; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# apt_get ARGUMENT...: runs apt-get quietly, waiting up to ten minutes while another one holds a lock.
# On failure APT_ERROR is apt's own first error line.
apt_get() {
    local output started=$SECONDS
    while ! output=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@" 2>&1 </dev/null); do
        case "$output" in
            *"Could not get lock"* | *"Unable to acquire"*)
                [ $((SECONDS - started)) -lt 600 ] || { APT_ERROR="another apt-get is running for ten minutes"; return 1; }
                sleep 3 ;;
            *)
                APT_ERROR=$(grep -m 1 '^E:' <<< "$output" || tail -n 1 <<< "$output")
                return 1 ;;
        esac
    done
}

# install_debian PACKAGE...: installs those that are missing.
install_debian() {
    local package missing=()
    for package in "$@"; do is_installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "this is not a Debian system; install the counterparts of: ${missing[*]}"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null \
        || fail "this is not root and there is no sudo; as root, run: apt-get install ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    apt_get update || fail "cannot reach Debian's package servers (${APT_ERROR:-apt-get update failed})"
    apt_get install -y --no-install-recommends "${missing[@]}" || fail "cannot install ${missing[*]} (${APT_ERROR:-apt-get failed})"
}

# python_with_pip: names a Python that has pip. A python3 of one's own may have none; Debian's has once python3-pip is installed.
python_with_pip() { if python3 -m pip --version >/dev/null 2>&1; then echo python3; else echo /usr/bin/python3; fi; }

# pip_install FOLDER PACKAGE...: has these packages, from PyPI, in a folder of their own, for the Python that python_with_pip names.
# On failure PIP_ERROR says why.
pip_install() {
    local folder=$1
    shift
    [ "$(cat "$folder/.installed" 2>/dev/null)" != "$*" ] || return 0
    rm -rf "$folder"
    PIP_ERROR=$("$(python_with_pip)" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$folder" "$@" 2>&1) \
        || { PIP_ERROR=$(tail -n 1 <<< "$PIP_ERROR"); return 1; }
    echo "$*" > "$folder/.installed"
}
