#compdef paramctl
# Completion of paramctl for zsh. In ~/.zshrc, behind compinit: eval "$(paramctl completion zsh)"

_paramctl() {
    local program=${${(Q)words[1]}/#\~\//$HOME/}
    local line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$IPREFIX$PREFIX"
    local candidate
    local -a values shown
    while IFS= read -r candidate; do
        values+=("${candidate%%$'\t'*}")
        shown+=("${candidate/$'\t'/  -- }")
    done < <(
        # Variables of the shell that the line names; the program sees only exported ones.
        local rest=$line
        while [[ $rest =~ '\$\{?([A-Za-z_][A-Za-z0-9_]*)(.*)' ]]; do
            export "$match[1]"
            rest=$match[2]
        done
        "$program" completion zsh --line "$line" 2>/dev/null
    )
    if (( $#values )); then
        compadd -l -d shown -a -- values
    else
        _files
    fi
}

if [[ $funcstack[1] == _paramctl ]]; then  # loaded from a file in $fpath
    _paramctl "$@"
else
    compdef _paramctl paramctl
fi
