//! Between SCIM and the directory: which attribute holds what, in both directions. Pure: what needs the directory is looked up
//! by the caller and passed in.

mod active;
mod adoption;
mod change;
mod compile;
mod config;
mod deleted;
mod derived;
mod filter;
mod kept;
mod map_file;
mod names;
mod patch;
mod read;
mod resource_mapping;
mod roles;
mod rule;
mod template;
mod view;
mod write;

pub use active::Active;
pub use change::Change;
pub use compile::{Compiled, Mapping, MappingError};
pub use config::{ActiveRule, ContainerConfig, MappingConfig, Mark, OnDelete, Passwords, UserNameRule};
pub use deleted::{has_same_name, is_same_person};
pub use filter::{Translation, references_in};
pub use map_file::{MapFile, MapFiles};
pub use names::{Groups, Name, Names, Targets};
pub use patch::{MemberChange, Plan};
pub use read::{Linked, ReadContext};
pub use resource_mapping::ResourceMapping;
pub use roles::{ROLE_ATTRIBUTE, Role, by_member_of};
pub use view::{Shown, View};

#[cfg(test)]
pub(crate) mod tests;
