//! Calls that their servers would refuse.

use super::*;
use crate::wire::answer::AdmissionCut;

const HALF_OF_SHEDDABLE: AdmissionCut =
    AdmissionCut { criticality: Criticality::Sheddable as u8, shed_key: 0x7fff };

fn turn(world: &World, class: Criticality, key: Option<u16>) -> Turn {
    world.turn(true).with_class(class, key)
}

#[test]
fn a_call_that_one_endpoint_sheds_goes_to_another_and_is_not_sent_where_all_shed_it() {
    let mut world = World::new(3);
    world.members[0].note_cut(Some(HALF_OF_SHEDDABLE), world.now);
    for _ in 0..100 {
        let picked = world.pick(&mut turn(&world, Criticality::Sheddable, Some(0xffff)));
        assert!(picked.at != 0 && !picked.sheds, "{picked:?}");
        world.settle(&picked, Outcome::Answered);
    }
    for member in &world.members[1..] {
        member.note_cut(Some(HALF_OF_SHEDDABLE), world.now);
    }
    for (class, key, sheds) in [
        (Criticality::Sheddable, Some(0xffff), true),
        (Criticality::Sheddable, Some(0x7fff), false),
        (Criticality::Sheddable, None, false),
        (Criticality::SheddablePlus, Some(0xffff), false),
        (Criticality::Critical, None, false),
    ] {
        let picked = world.pick(&mut turn(&world, class, key));
        assert_eq!(picked.sheds, sheds, "{class} {key:?}");
        world.settle(&picked, Outcome::Abandoned);
    }
}

#[test]
fn what_is_shed_is_believed_for_a_while_and_until_it_is_taken_back() {
    let mut world = World::new(1);
    let sheds = |world: &mut World| {
        let picked = world.pick(&mut turn(world, Criticality::Sheddable, Some(0xffff)));
        world.settle(&picked, Outcome::Abandoned);
        picked.sheds
    };
    world.members[0].note_cut(Some(HALF_OF_SHEDDABLE), world.now);
    world.now += limits::CUT_BELIEVED - MS;
    assert!(sheds(&mut world));
    world.now += 2 * MS;
    assert!(!sheds(&mut world));
    world.members[0].note_cut(Some(HALF_OF_SHEDDABLE), world.now);
    assert!(sheds(&mut world));
    world.members[0].note_cut(None, world.now);
    assert!(!sheds(&mut world));
}
