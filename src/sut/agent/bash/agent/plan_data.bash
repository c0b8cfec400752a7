# Plan data: the directories that the scripts and tests of a plan share, in `plan/`. `PROJECT.prepared` is what prepare steps make, and
# `PROJECT.prepared.STEP` what was saved of it after a step. `PROJECT.prepared.plan-PLAN` is a copy for the tests and finish steps of a
# plan: see src/sut/interface/promised.bash. They are emptied, saved and restored with the environment files.

# reset_data NAME: removes a directory of plan data, with all that was made of it.
reset_data() (
    shopt -s nullglob
    all=("$v/plan/$1" "$v/plan/$1".*)
    [[ -e ${all[0]} || ${#all[@]} -gt 1 ]] || exit 0
    [[ ! -L $v/plan ]] && cd -P -- "$v/plan" && remove_data "${all[@]##*/}"
)

# remove_data NAME...: removes directories in the working directory, if nothing is mounted there.
remove_data() {
    ! meets "$@" && rm -rf --one-file-system -- "$@"
}

# keep_data PROJECT STEP: saves the plan data after a step of a chain. If that fails, nothing is saved.
keep_data() (
    data=$1.prepared
    [[ -d $v/plan ]] || mkdir -m 755 -- "$v/plan" || exit
    cd -P -- "$v/plan" && remove_data "$data.$2" "$data.new" || exit
    [[ -e $data ]] || mkdir -m 755 -- "$data" || exit
    [[ ! -L $data ]] && ! meets "$data" && cp -a -- "$data" "$data.new" && mv -- "$data.new" "$data.$2"
) 2>/dev/null

# rewind_data PROJECT STEP: restores the plan data as it was after a step of a chain.
rewind_data() (
    shopt -s nullglob
    data=$1.prepared
    cd -P -- "$v/plan" && remove_data "$data" "$data".plan-* && cp -a -- "$data.$2" "$data"
)
