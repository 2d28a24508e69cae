# Completion of paramctl for bash. In ~/.bashrc: eval "$(paramctl completion bash)"

_paramctl() {
    local line=${COMP_LINE:0:COMP_POINT} program=${1/#~\//$HOME/}
    local candidate rest=$line
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(
        # Variables of the shell that the line names; the program sees only exported ones.
        while [[ $rest =~ \$\{?([A-Za-z_][A-Za-z0-9_]*)(.*) ]]; do
            export "${BASH_REMATCH[1]}"
            rest=${BASH_REMATCH[2]}
        done
        "$program" completion bash --line "$line" --replaced "$2" 2>/dev/null
    )
}

complete -o bashdefault -o default -F _paramctl paramctl
