# Prints the tasks of Taskfile.yml under its headings: comments such as `# == Running ==`. Run by `task help`.

/^  # == .* ==$/ { sub(/^  # == /, ""); sub(/ ==$/, ""); heading = $0; next }
/^  [a-z][a-z:-]*:$/ { name = $1; sub(/:$/, "", name); next }
/^    desc: / {
    sub(/^    desc: /, "")
    sub(/^"/, "")
    sub(/"$/, "")
    if (heading) { printf "%s%s\n", (printed ? "\n" : ""), heading; heading = "" }
    printf "  task %-18s %s\n", name, $0
    printed = 1
}
