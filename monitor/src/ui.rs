//! What a person sees of a live run: [`Screen`] on a terminal, [`Plain`] lines elsewhere. Both are sinks: they are
//! shown the table once a second and the summary at the end, and know neither ring nor clock.

mod columns;
mod info;
mod picture;
mod plain;
mod screen;
mod terminal;
mod totals;

pub use info::{RunInfo, SharedRunInfo};
pub use picture::render_text;
pub use plain::Plain;
pub use screen::Screen;
pub use terminal::{is_fit_for_a_screen, restore_terminal};

#[cfg(test)]
mod tests;
