//! What crosses the wire: properties of the codec, and the vectors that freeze it.

#[cfg(test)]
mod describe;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod parser;
#[cfg(test)]
mod rewrite;
#[cfg(test)]
mod strategies;
#[cfg(test)]
mod vectors;
