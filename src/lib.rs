#![doc = include_str!("ARCHITECTURE.md")]

pub mod clock;
pub mod directory;
pub mod mapping;
pub mod scim;

#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
pub mod adoption;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod auth;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod ldap;
#[cfg(feature = "server")]
pub mod lifecycle;
#[cfg(feature = "server")]
pub mod limit;
#[cfg(feature = "server")]
pub mod membership;
#[cfg(feature = "server")]
mod outbound;
#[cfg(feature = "server")]
pub mod rehearsal;
#[cfg(feature = "server")]
pub mod resources;
#[cfg(feature = "server")]
pub mod secret;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
mod trust;
#[cfg(feature = "server")]
pub mod undo;
