#!/usr/bin/env bash
# Tries commands, such as "make test", on a Debian as a clinic first sees it: make, python3 and its
# pip are there, but no compiler, no git and no python3-venv, and the user is nobody special.
#
#     tests/setup/bare_debian.sh bookworm "make setup" "make demo"
#
# Needs root, debootstrap, and a Debian mirror and a package index as this machine has them set up.
# Exits with 77 and a reason if that is not so. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=${1:?the name of a Debian release}
shift
cannot=77
certificates=/etc/ssl/certs/ca-certificates.crt

skip() {
    echo "cannot try this here: $1" >&2
    exit "$cannot"
}

[ "$(id -u)" = 0 ] || skip "only root can make a chroot"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
unshare --mount --pid --fork true 2>/dev/null || skip "this machine allows no namespaces"

# The first archive that apt knows, other than those with updates for another one.
mirror=$(apt-get indextargets --format '$(SUITE) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 !~ /-/ { print $2; exit }')
[ -n "$mirror" ] || skip "apt knows no mirror"

root=$(mktemp -d)
chmod 755 "$root"
trap 'rm -rf --one-file-system "$root"' EXIT

started=$SECONDS
debootstrap --variant=minbase --include=ca-certificates,make,python3,python3-pip \
    "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    rm -f "$root.log"
    skip "debootstrap cannot make $suite from this machine's mirror"
}
rm -f "$root.log"
printf '== %s is there after %d s\n' "$suite" $((SECONDS - started))

for tool in cc git uv; do
    if chroot "$root" sh -c "command -v $tool"; then
        echo "this Debian is not bare" >&2
        exit 1
    fi
done

# The network as this machine sees it: names, certificates, proxies, pip's configuration.
cp /etc/hosts /etc/resolv.conf "$root/etc/"
cp "${SSL_CERT_FILE:-$certificates}" "$root$certificates"
if [ -f /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/"; fi
environment=(PATH=/usr/local/bin:/usr/bin:/bin HOME=/srv/clinic LANG=C.UTF-8 "SSL_CERT_FILE=$certificates")
while IFS='=' read -r -d '' name value; do
    case $name in
    PIP_CERT) environment+=("PIP_CERT=$certificates") ;;
    PIP_*INDEX* | UV_*INDEX* | PIP_TRUSTED_HOST | *_proxy | *_PROXY) environment+=("$name=$value") ;;
    esac
done < <(env -0)

chroot "$root" useradd --home-dir /srv/clinic --create-home clinic
mkdir "$root/srv/clinic/placet"
git -c safe.directory='*' ls-files -z -co --exclude-standard |
    tar --null --files-from - --ignore-failed-read --create | tar -xC "$root/srv/clinic/placet"
chroot "$root" chown -R clinic: /srv/clinic

# The namespaces take all mounts and all processes with them when the command ends.
in_debian='
    mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev/shm" || exit 1
    root=$0 command=$1
    shift
    exec chroot --userspec clinic: "$root" \
        env -i "$@" sh -c "cd /srv/clinic/placet && $command" </dev/null'
for command in "$@"; do
    started=$SECONDS
    printf '== %s\n' "$command"
    unshare --mount --pid --fork --kill-child sh -c "$in_debian" "$root" "$command" "${environment[@]}"
    printf '== %s: %s took %d s\n' "$suite" "$command" $((SECONDS - started))
done
