//! A world in a box: the systems around Trunkline, as fakes that remember everything.
//!
//! The fakes are pure and serve twice: behind real HTTP as the sandbox that people point a server at, and inside the
//! simulation, which runs the real stages, the real SQL, real connectors and real signatures under a virtual clock
//! with seeded faults, and checks the promises after each step. A seed replays: nothing here reads a clock or draws
//! from anywhere else.

pub mod carrier;
pub mod crm;
pub mod faults;
pub mod follower;
pub mod outgoing;
pub mod shop;
pub mod sinch;
pub mod telnyx;
pub mod vendor;

pub mod http;

pub mod fixtures;
pub mod oracle;
pub mod profile;
pub mod rehearse;
pub mod watch;
pub mod world;

mod homes;
