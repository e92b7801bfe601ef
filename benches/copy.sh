# Sourced by the benches that compare this tree with a copy of it that lacks one thing, so that the library needs no
# switch that would turn that thing off. To be called at the root of the tree.

# copy_tree DIRECTORY: what is tracked, as it is now. Time stamps stay, so that a second run builds nothing.
copy_tree() {
    mkdir -p -- "$1"
    git ls-files -z --cached | xargs -0 cp --parents --preserve=timestamps --update --target-directory="$1" --
}

# take_out COPY FILE PATTERN COUNT [-e SED]...: edits FILE in COPY; exactly COUNT lines fewer then match PATTERN, or
# the bench would compare a thing with itself.
take_out() {
    local file=$1/$2 from=$2 pattern=$3 count=$4 before after
    shift 4
    cp --preserve=timestamps -- "$from" "$file"
    sed -i "$@" -- "$file"
    before=$(grep -cE -- "$pattern" "$from" || true)
    after=$(grep -cE -- "$pattern" "$file" || true)
    ((before - after == count)) || { echo "$file: not what this script knows how to change" >&2; exit 1; }
}
