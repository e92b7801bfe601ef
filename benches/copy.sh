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

# without_guard COPY: bincode as it comes.
without_guard() {
    take_out "$1" runtime/src/codec/bincode.rs 'Checked::new|Guarded::new' 2 \
        -e 's/encode_into_writer(Checked::new(value), /encode_into_writer(value, /' \
        -e 's/T::deserialize(Guarded::new(deserializer, self.budget))/T::deserialize(deserializer)/'
}

# without_mesh COPY: the first endpoint takes every call, and nothing is learnt from what becomes of it. Gone are the bulkhead,
# the throttle, the deposit for retries, the pick, what a call settles, the look at silence, the servers' load reports, and their
# places for calls.
without_mesh() {
    take_out "$1" runtime/src/client/stack.rs 'places\(\)\.enter' 2 \
        -e 's/let _place = core\.places()\.enter(self)\.await?;//'
    take_out "$1" runtime/src/client/route.rs 'self\.plan\.throttle|^        let now = answer\.at|Pending if self' 3 \
        -e 's/if !self\.plan\.throttle(turn\.class(), now\.into_std(), &mut Chance)/if let Some(endpoint) = self.endpoints.load().first().cloned() { return Ok(Booked { core: Arc::clone(self), ticket: None, booked_at: now, connection: 0, deadline: None, why: Chosen::Best, ready: None, endpoint }); } if false/' \
        -e 's/^        let now = answer\.at/        if self.ticket.is_none() { return; } let now = answer.at/' \
        -e 's/Poll::Pending if self\.is_lost()/Poll::Pending if false \&\& self.is_lost()/'
    take_out "$1" runtime/core/src/plan/client/mod.rs 'self\.deposit\(' 1 -e 's/self\.deposit(stripe, began);//'
    take_out "$1" runtime/src/transport/frames/streams.rs 'head\.load = Some' 1 -e 's/^    head\.load = Some(.*$//'
    take_out "$1" runtime/src/server/dispatch.rs 'let admission = needs_place\.then' 1 \
        -e 's/let admission = needs_place\.then/let admission = (needs_place \&\& false).then/'
}
