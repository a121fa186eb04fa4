# Turns etc/CHANGELOG.md into a Debian changelog: -v date=… -v maintainer=….
function close_version() {
    if (version != "") printf "\n -- %s  %s\n\n", maintainer, date
}
/^## / {
    close_version()
    version = $2
    printf "musher (%s) unstable; urgency=medium\n\n", version
}
/^- / {
    gsub(/`/, "")
    line = "  *"
    for (i = 2; i <= NF; i++) {
        if (length(line) + length($i) > 78) {
            print line
            line = "   "
        }
        line = line " " $i
    }
    print line
}
END { close_version() }
