//! What a target means to a mesh: whether it can lead anywhere from there.

use super::MeshError;
use crate::{
    discovery::{Board, Place, VARIABLE},
    transport::schemes::{Schemes, scheme},
};

/// Reads a target; otherwise what to write instead.
pub(super) fn parse_target(
    target: &str,
    schemes: &Schemes,
    board: Option<&Board>,
) -> Result<Place, MeshError> {
    let place = Place::parse(target).and_then(|place| {
        if matches!(place, Place::Etcd(_)) && !board.is_some_and(Board::is_etcd) {
            return Err(format!(
                "this mesh has no etcd: name one with `MeshBuilder::discovery` or `{VARIABLE}=etcd://host:port`"
            ));
        }
        if let Place::Static(addresses) = &place {
            let mut foreign = addresses.iter().filter(|address| scheme(address).is_some());
            foreign.try_for_each(|address| schemes.check(address))?;
        }
        Ok(place)
    });
    place.map_err(|problem| MeshError::Target { target: target.to_owned(), problem })
}

/// The addresses, where there is nothing else.
pub(super) fn all_static(places: &[Place]) -> Option<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for place in places {
        let Place::Static(addresses) = place else { return None };
        for address in addresses {
            if !all.contains(address) {
                all.push(address.clone());
            }
        }
    }
    Some(all)
}
