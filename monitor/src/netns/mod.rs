//! Network namespaces and the interfaces in them.
//!
//! Two uses. Before the frame's way: the demo and the tests send through a veth pair between two namespaces that
//! belong to nobody but this process and vanish with it. Beside it: the live run asks which interfaces there are,
//! watches for one that goes away, and may hold one in promiscuous mode.
//!
//! An interface is known by its namespace and its number: numbers repeat across namespaces. The kernel's programs
//! see a namespace as `net->ns.inum`, which is the inode number of its file: [`Netns::inode`].
//!
//! No namespace gets a name under `/run`, and no thread but those made for it here ever changes its own.

mod error;
mod filters;
mod handle;
mod interface;
mod links;
mod pair;
mod promiscuous;
mod rtnetlink;
mod watch;

pub use error::Error;
pub use filters::{Filter, FilterSide};
pub use handle::Netns;
pub use interface::{Interface, MacAddress, interfaces};
pub use links::Links;
pub use pair::{End, Pair, private_pair};
pub use promiscuous::Promiscuous;
pub use watch::{LinkChange, LinkEvent, LinkWatch};
