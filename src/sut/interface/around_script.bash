# Around a prepare or finish script: makes what tmt promises it, and goes on in this shell. Needs bash 4.2, coreutils, and the functions of
# promised.bash. See sut/interface/mod.rs for the other side.
#
# $1 the directory for it; $2 the text of the commands; $3 the text that sets its environment; $4 the plan data that prepare steps make;
# $5 the plan's own copy of it, for a finish script.

# Ends the script before it has begun.
cannot() {
    printf 'cannot %s\n' "$1" >&2
    exit 1
}

trap : PIPE
provide "$1" "$2" yes
if [[ $5 ]]; then plan_data "$4" "$5" ''; else mkdir -p -- "$4" || cannot "make $4"; fi
unset -f topology stub holds has_commands commands holds_mounts empty provide plan_data cannot
unset -v names
shopt -u nullglob dotglob
eval "$3"
TMT_TOPOLOGY_BASH=$1/test/topology.sh
TMT_TOPOLOGY_YAML=$1/test/topology.yaml
TMT_PLAN_DATA=${5:-$4}
TMT_PLAN_SOURCE_SCRIPT=$TMT_PLAN_DATA/plan-source-script.sh
TMT_SCRIPTS_DIR=$1/bin
TMT_VERSION=1.78.0
TMT_REBOOT_COUNT=0
REBOOTCOUNT=0
RSTRNT_REBOOTCOUNT=0
PATH=$1/bin:$PATH
export TMT_TOPOLOGY_BASH TMT_TOPOLOGY_YAML TMT_PLAN_DATA TMT_PLAN_SOURCE_SCRIPT TMT_SCRIPTS_DIR TMT_VERSION TMT_REBOOT_COUNT REBOOTCOUNT \
    RSTRNT_REBOOTCOUNT PATH
set --
[[ ! -f $TMT_PLAN_SOURCE_SCRIPT ]] || . "$TMT_PLAN_SOURCE_SCRIPT"
