# Shared by build, up and down; sourced, not run. Bash 4 or newer on Linux.
# shellcheck shell=bash

# Every program that build makes.
# shellcheck disable=SC2034 # used by the scripts that source this
BINARIES=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok)

say() { echo "controlplane: $*" >&2; }

die() {
    say "$*"
    exit 1
}

cpus() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN; }

# The version of a module in go.mod, which is the one place where versions are written.
module_version() {
    local lib version
    lib=$(dirname "${BASH_SOURCE[0]}")
    version=$(awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$lib/go.mod")
    [[ -n $version ]] || die "go.mod does not require $1."
    echo "$version"
}

# Where the binaries are: KUBEBUILDER_ASSETS, as with other projects that test against a real API server, else the cache.
assets_dir() {
    if [[ -n ${KUBEBUILDER_ASSETS-} ]]; then
        echo "$KUBEBUILDER_ASSETS"
    else
        [[ -n ${XDG_CACHE_HOME-}${HOME-} ]] || die "neither KUBEBUILDER_ASSETS nor XDG_CACHE_HOME nor HOME is set: where are the binaries?"
        echo "${XDG_CACHE_HOME:-$HOME/.cache}/gitops-controlplane/$(module_version k8s.io/kubernetes)"
    fi
}

# The moment at which a process started, in clock ticks since boot; fails when it does not run (a zombie does not). A
# process id together with this is never mistaken for a later process that was given the same id.
started_at() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # The name, in parentheses, may hold anything; what follows the last parenthesis is numbers and the state.
    read -ra fields <<<"${stat##*) }"
    [[ -n ${fields[19]-} && ${fields[0]} != [ZX] ]] || return 1
    echo "${fields[19]}"
}

# Writes "id start" of a process to a file.
record() {
    local start
    start=$(started_at "$1") || return 1
    echo "$1 $start" >"$2"
}

# Whether the process recorded in a file runs; its id is then in REPLY.
recorded_runs() {
    local start
    { read -r REPLY start <"$1"; } 2>/dev/null || return 1
    [[ -n $REPLY && -n $start && "$(started_at "$REPLY")" == "$start" ]]
}

# The file that says that a directory is a control plane's.
# shellcheck disable=SC2034 # used by the scripts that source this
MARK=controlplane

# Whether any process of the control plane in a directory runs, apart from the one that asks.
any_runs() {
    local record
    for record in "$1"/pids/*; do
        if recorded_runs "$record" && ((REPLY != $$)); then return 0; fi
    done
    return 1
}

# Removes what `up` makes, by name, and the directory if nothing else is in it. The two marks go last and in this order, so
# that a program about to start always finds one of them wrong (see start in `up`).
remove_state() {
    (
        cd "$1" || exit
        rm -rf etcd etcd.sock etcd-peer.sock kubeconfig ./*.kubeconfig kubectl-cache kwok logs pids pki tokens.csv
        rm -f "$MARK"
        rm -f stopping
    )
    rmdir "$1" 2>/dev/null || true
}
