# Completion of paramctl for fish. In ~/.config/fish/config.fish: paramctl completion fish | source

function __paramctl_complete
    set -l line (commandline -cp)
    set -l program (string replace -r '^~/' "$HOME/" -- (commandline -opc)[1])
    # Variables of the shell that the line names; the program sees only exported ones.
    for name in (string match -ra '(?<=\$)[A-Za-z_]\w*' -- $line)
        set -q $name; and not set -qx $name; and set -fx $name $$name
    end
    set -l candidates ($program completion fish --line "$line" 2>/dev/null)
    if set -q candidates[1]
        printf '%s\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -c paramctl -f -a '(__paramctl_complete)'
