# Shared by the scripts: messages, and Debian packages. A script sets NAME to what its messages start with.

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
