# Plan environment files: how they are emptied, saved after a prepare step, and restored, together with the plan data.

# reset-env PROJECT.prepared|PROJECT.base: empties an environment file, and removes what was saved of it after each prepare
# step.
agent_reset-env() {
    said=$({ cd -P -- "$v/env" && rm -f -- "$1".[0-9]* && empty_env "$1" && reset_data "$1"; } 2>&1) || { complain "cannot empty \`$v/env/$1\`"; return; }
    say ok
}

# empty_env FILE: empties a file in the directory of environment files, which is the working directory.
empty_env() {
    ! meets "$1" && rm -rf --one-file-system -- "$1" && : >"$v/env/$1"
}

# keep_env PROJECT STEP: saves what the environment file holds after a step of a chain. If that fails, nothing is saved.
keep_env() {
    local env=$v/env/$1.prepared
    rm -f -- "$env.$2"
    [[ -f $env && ! -L $env ]] && cp -- "$env" "$v/env/new" && mv -f -- "$v/env/new" "$env.$2"
} 2>/dev/null

# rewind-env PROJECT STEP: restores the environment file as it was after a step of a chain. The reply is `none` where that was
# not saved.
agent_rewind-env() {
    local file=$1.prepared
    [[ -f $v/env/$file.$2 && ! -L $v/env/$file.$2 && -d $v/plan/$file.$2 && ! -L $v/plan/$file.$2 ]] || { say none; return; }
    said=$({ cd -P -- "$v/env" && empty_env "$file" && cat -- "$file.$2" >"$file" && rewind_data "$1" "$2"; } 2>&1) || { complain "cannot write \`$v/env/$file\`"; return; }
    say ok
}
