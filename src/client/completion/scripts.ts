/** The scripts that ask `towpath complete` what may come next; each leaves file names to its shell. */
export const COMPLETION_SCRIPTS = {
  bash: `# Completion of towpath for bash.
_towpath() {
  # bash parts words at = and : too; the line itself tells what was typed.
  local line="\${COMP_LINE:0:COMP_POINT}" words answer current part
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current="\${words[\${#words[@]}-1]}"
  answer="$(towpath complete -- "\${words[@]:1}" 2>/dev/null)"
  COMPREPLY=()
  case "$answer" in
    "") return ;;
    :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    :directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *) mapfile -t COMPREPLY < <(cut -f1 <<< "$answer") ;;
  esac
  # What bash takes for an earlier word must not be written twice.
  part="\${current%"\${current##*[=:]}"}"
  COMPREPLY=("\${COMPREPLY[@]#"$part"}")
}
complete -F _towpath towpath
`,
  zsh: `#compdef towpath
# Completion of towpath for zsh.
_towpath() {
  local -a lines values shown
  local line
  lines=("\${(@f)$(towpath complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  case "$lines[1]" in
    :files) _files; return ;;
    :directories) _files -/; return ;;
    "") return 1 ;;
  esac
  for line in "\${(@)lines}"; do
    values+=("\${line%%$'\\t'*}")
    shown+=("\${line/$'\\t'/  -- }")
  done
  compadd -l -d shown -a values
}
compdef _towpath towpath
`,
  fish: `# Completion of towpath for fish.
function __towpath_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer (towpath complete -- $words[2..-1] 2>/dev/null)
  switch "$answer[1]"
    case :files
      __fish_complete_path (commandline -ct)
    case :directories
      __fish_complete_directories (commandline -ct)
    case '*'
      printf '%s\\n' $answer
  end
end
complete -c towpath -f -k -a '(__towpath_complete)'
`,
} as const;
