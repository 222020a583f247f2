//! The C37.118 codec from outside: known frames, and properties that hold for all.

#[cfg(test)]
mod config3;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod properties3;
#[cfg(test)]
mod support;
