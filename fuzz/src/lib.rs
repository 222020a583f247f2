//! What the fuzz targets share: inputs read as instructions, packets made of them, and what must hold of a pipeline
//! whatever it was given.

pub mod batch;
pub mod frames;
pub mod input;
pub mod judge;
pub mod wire;
