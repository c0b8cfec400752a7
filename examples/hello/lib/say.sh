# Shell functions that tests share.

# say STATUS NAME [NOTE]: reports a subtest to the runner.
say() {
    local json
    printf -v json '{"status":"%s","name":"%s","note":"%s"}' "$1" "$2" "${3:-}"
    printf 'result %d\n%s' "${#json}" "$json" >&"$ATEX_TEST_CONTROL"
}
