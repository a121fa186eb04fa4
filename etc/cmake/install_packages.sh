# shellcheck shell=bash
# install_packages GROUP…: installs what is missing of these groups of etc/packages. Sourced.

install_packages() {
    local root group package missing=() wanted=()
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    for group in "$@"; do
        read -ra wanted <<<"$(sed -n "s/^$group: //p" "$root/etc/packages")"
        for package in "${wanted[@]}"; do
            if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
                missing+=("$package")
            fi
        done
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "error: these packages are missing: ${missing[*]}" >&2
            echo "hint: run this as root, or install sudo" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
